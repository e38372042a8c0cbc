// Writes the tables of options, variables and errors into README.md from the source: `npm run docs:tables`.
// `--check` writes nothing and fails where README.md is behind; `--json` prints what was read from the source.
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import prettier from 'prettier';
import { Source } from './docs-tables/docstrings.mjs';
import { optionRows } from './docs-tables/options.mjs';

const root = resolve(import.meta.dirname, '..');
const readme = join(root, 'README.md');
const source = (path) => new Source(join(root, 'libs/xpay-auth/src', path));

/** The header that goes with a status; a test compares it with what the library sends. */
const BESIDE = {
  401: '`WWW-Authenticate`, every accepted scheme',
  403: '`WWW-Authenticate: Bearer`, the scopes of the route',
  429: '`Retry-After`',
  503: '`Retry-After`',
};

const options = optionRows(source('nest/options/xpay-auth-options.ts'));

const variables = source('nest/options/environment.ts')
  .entriesOf('ENVIRONMENT')
  .map(({ name, value, doc }) => ({ name: `XPAY_${name}`, option: value.text, form: doc.firstSentence }));

const errors = source('core/errors.ts')
  .entriesOf('FAILURES')
  .map(({ name, value, doc }) => {
    const field = (key) => value.properties.find((property) => property.name.getText() === key).initializer.text;
    if (doc.firstSentence === '') throw new Error(`the code ${name} has no docstring`);
    const status = field('status');
    const beside = BESIDE[status] ?? '';
    return { code: name, status, trouble: field('trouble'), when: doc.firstSentence, beside };
  });

const TABLES = {
  options: table(
    ['option', 'default', 'meaning'],
    options.map(({ path, byDefault, meaning }) => [`\`${path}\``, byDefault, meaning]),
  ),
  variables: table(
    ['variable', 'option'],
    variables.map(({ name, option, form }) => [`\`${name}\``, `\`${option}\`${form && `, ${form}`}`]),
  ),
  errors: table(
    ['code', 'status', 'whose trouble', 'when', 'beside it'],
    errors.map(({ code, status, trouble, when, beside }) => [`\`${code}\``, status, trouble, when, beside]),
  ),
};

if (process.argv.includes('--json')) {
  console.log(JSON.stringify({ options, variables, errors }, undefined, 2));
} else {
  const present = readFileSync(readme, 'utf8');
  const written = Object.entries(TABLES).reduce((text, [name, rows]) => inserted(text, name, rows), present);
  const style = (await prettier.resolveConfig(readme)) ?? {};
  const formatted = await prettier.format(written, { ...style, parser: 'markdown' });
  if (!process.argv.includes('--check')) writeFileSync(readme, formatted);
  else if (formatted !== present) {
    console.error('README.md is behind the source: run `npm run docs:tables`, and commit what it wrote.');
    process.exitCode = 1;
  }
}

/** The text with this table between its two marks. */
function inserted(text, name, rows) {
  const [begin, end] = [`<!-- ${name}: written by \`npm run docs:tables\` -->`, `<!-- end of ${name} -->`];
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`README.md lacks ${begin} and ${end}`);
  return `${text.slice(0, from)}${begin}\n\n${rows}\n\n${text.slice(to)}`;
}

function line(cells) {
  return `| ${cells.map((cell) => String(cell).replaceAll('|', '\\|')).join(' | ')} |`;
}

function table(head, rows) {
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
