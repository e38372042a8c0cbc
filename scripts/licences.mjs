// Writes the licences of what the package brings along or asks for into docs/licences.md, from what is installed:
// `npm run licences`. `--check` writes nothing and fails where the list is behind. A licence that is not allowed always fails.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import prettier from 'prettier';

const PERMISSIVE = 'MIT ISC BSD-2-Clause BSD-3-Clause Apache-2.0 0BSD BlueOak-1.0.0 CC0-1.0 Unlicense Python-2.0';
const ALLOWED = new Set(PERMISSIVE.split(' '));
/** Said in its README alone, and read there by a person. */
const BY_HAND = { pause: 'MIT' };
const [BEGIN, END] = ['<!-- licences: written by `npm run licences` -->', '<!-- end of licences -->'];
const [list, library] = ['docs/licences.md', 'libs/xpay-auth'].map((path) => resolve(import.meta.dirname, '..', path));
const manifestOf = (folder) => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));

const { dependencies, peerDependencies, peerDependenciesMeta } = manifestOf(library);
/** By folder: what it is called, how it is licensed, and how it came here. */
const found = new Map();
for (const name of Object.keys({ ...dependencies, ...peerDependencies })) {
  walk(name, library, name in dependencies ? 'dependency' : peerDependenciesMeta[name] ? 'optional peer' : 'peer');
}
/** One row for all copies of a package under one licence. */
const copies = [...found.values()].map((one) => [`${one.name} ${one.licence}`, one]).toReversed();
const rows = [...new Map(copies).values()]
  .toSorted((a, b) => (a.name < b.name ? -1 : 1))
  .map(({ name, licence, as }) => `| \`${name}\` | ${licence} | ${as} |`);
const table = ['| package | licence | comes as |', '| --- | --- | --- |', ...rows].join('\n');
const present = readFileSync(list, 'utf8');
const [from, to] = [present.indexOf(BEGIN), present.indexOf(END)];
if (from < 0 || to < from) throw new Error(`docs/licences.md lacks ${BEGIN} and ${END}`);
const written = `${present.slice(0, from)}${BEGIN}\n\n${table}\n\n${present.slice(to)}`;
const formatted = await prettier.format(written, { ...(await prettier.resolveConfig(list)), parser: 'markdown' });
if (!process.argv.includes('--check')) writeFileSync(list, formatted);
else if (formatted !== present) fail('docs/licences.md is behind: run `npm run licences`, and commit what it wrote.');
for (const { name, licence } of found.values()) {
  if (!ALLOWED.has(licence)) fail(`${name}: the licence ${licence} is not on the list of scripts/licences.mjs`);
}

/** A package and all that it depends on. What came by itself keeps its word; the rest is named by what it came with. */
function walk(name, dependant, as) {
  const folder = installed(name, dependant);
  if (folder === undefined) fail(`${name} is not installed: run \`npm ci\``);
  if (folder === undefined || found.has(folder)) return;
  const { license, licenses, dependencies: own = {} } = manifestOf(folder);
  const licence = license?.type ?? license ?? licenses?.map(({ type }) => type).join(' AND ') ?? BY_HAND[name];
  found.set(folder, { name, licence: licence ?? 'none that it names', as });
  for (const inner of Object.keys(own)) walk(inner, folder, as.startsWith('with ') ? as : `with \`${name}\``);
}

/** As Node finds it. */
function installed(name, folder) {
  const here = join(folder, 'node_modules', name);
  if (existsSync(join(here, 'package.json'))) return here;
  return folder === dirname(folder) ? undefined : installed(name, dirname(folder));
}

function fail(line) {
  console.error(line);
  process.exitCode = 1;
}
