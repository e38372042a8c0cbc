// Writes the tables of options, environment variables and error codes from the source: `npm run docs:tables`.
// docs/reference.md has all rows. README.md has only the options that people set first.
// `--check` writes nothing and fails if a document is out of date. `--json` prints the rows.
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import prettier from 'prettier';
import { Source } from './docs-tables/docstrings.mjs';
import { optionRows } from './docs-tables/options.mjs';

const root = resolve(import.meta.dirname, '..');
const source = (path) => new Source(join(root, 'libs/xpay-auth/src', path));

/** The header in the response of each status. A test compares this table with the headers that the library sends. */
const HEADERS = {
  401: '`WWW-Authenticate` with every accepted scheme',
  403: '`WWW-Authenticate: Bearer` with the scopes of the route',
  429: '`Retry-After`',
  503: '`Retry-After`',
};

/** The options in the table of README.md, in this order. */
const FIRST_OPTIONS = [
  'credentials',
  'baseUrl',
  'dialect',
  'name',
  'globalGuards',
  'scopeHierarchy',
  'verification.periodMs',
  'session.periodMs',
  'attempts',
  'store',
];

const options = optionRows(source('nest/options/xpay-auth-options.ts'));

const variables = source('nest/options/environment.ts')
  .entriesOf('ENVIRONMENT')
  .map(({ name, value, doc }) => ({ name: `XPAY_${name}`, option: value.text, form: doc.firstSentence }));

const errors = source('core/failures.ts')
  .entriesOf('FAILURES')
  .map(({ name, value, doc }) => {
    const field = (key) => value.properties.find((property) => property.name.getText() === key).initializer.text;
    if (doc.firstSentence === '') throw new Error(`The code ${name} in core/errors.ts has no docstring. Add one.`);
    const status = field('status');
    return { code: name, status, trouble: field('trouble'), when: doc.firstSentence, headers: HEADERS[status] ?? '' };
  });

const DOCUMENTS = {
  'README.md': { options: optionsTable(FIRST_OPTIONS.map(optionAt)) },
  'docs/reference.md': {
    options: optionsTable(options),
    variables: table(
      ['variable', 'option'],
      variables.map(({ name, option, form }) => [`\`${name}\``, `\`${option}\`${form && `, ${form}`}`]),
    ),
    errors: table(
      ['code', 'status', '`trouble`', 'when', 'response header'],
      errors.map(({ code, status, trouble, when, headers }) => [`\`${code}\``, status, trouble, when, headers]),
    ),
  },
};

if (process.argv.includes('--json')) {
  console.log(JSON.stringify({ options, variables, errors }, undefined, 2));
} else {
  for (const [name, tables] of Object.entries(DOCUMENTS)) await update(name, tables);
}

/** Writes the tables into a document. With `--check`, only reports whether the document is out of date. */
async function update(name, tables) {
  const path = join(root, name);
  const present = readFileSync(path, 'utf8');
  const written = Object.entries(tables).reduce((text, [title, rows]) => inserted(name, text, title, rows), present);
  const style = (await prettier.resolveConfig(path)) ?? {};
  const formatted = await prettier.format(written, { ...style, parser: 'markdown' });
  if (!process.argv.includes('--check')) writeFileSync(path, formatted);
  else if (formatted !== present) {
    console.error(`${name} is out of date. Run \`npm run docs:tables\` and commit the result.`);
    process.exitCode = 1;
  }
}

/** Returns the text with a table between the two comments that name it. */
function inserted(name, text, title, rows) {
  const [begin, end] = [`<!-- ${title}: written by \`npm run docs:tables\` -->`, `<!-- end of ${title} -->`];
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${name} lacks ${begin} and ${end}. Add both.`);
  return `${text.slice(0, from)}${begin}\n\n${rows}\n\n${text.slice(to)}`;
}

function optionAt(path) {
  const found = options.find((option) => option.path === path);
  if (found === undefined) throw new Error(`FIRST_OPTIONS: there is no option ${path}. Correct the list.`);
  return found;
}

function optionsTable(rows) {
  return table(
    ['option', 'default', 'meaning'],
    rows.map(({ path, byDefault, meaning }) => [`\`${path}\``, byDefault, meaning]),
  );
}

function line(cells) {
  return `| ${cells.map((cell) => String(cell).replaceAll('|', '\\|')).join(' | ')} |`;
}

function table(head, rows) {
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
