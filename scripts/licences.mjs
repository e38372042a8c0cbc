// Writes the licences of all dependencies and peers of the package to docs/licences.md, from the installed packages:
// `npm run licences`. `--check` writes nothing and fails if the list is outdated. A licence that is not allowed always fails.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import prettier from 'prettier';

const PERMISSIVE = 'MIT ISC BSD-2-Clause BSD-3-Clause Apache-2.0 0BSD BlueOak-1.0.0 CC0-1.0 Unlicense Python-2.0';
const ALLOWED = new Set(PERMISSIVE.split(' '));
/** Licences that are stated only in a package's README. */
const BY_HAND = { pause: 'MIT' };
const [BEGIN, END] = ['<!-- licences: written by `npm run licences` -->', '<!-- end of licences -->'];
const [list, library] = ['docs/licences.md', 'libs/xpay-auth'].map((path) => resolve(import.meta.dirname, '..', path));
const manifestOf = (folder) => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));

const { dependencies, peerDependencies, peerDependenciesMeta } = manifestOf(library);
/** The packages found, by folder, with their names, licences, and relations to the library. */
const found = new Map();
for (const name of Object.keys({ ...dependencies, ...peerDependencies })) {
  walk(name, library, name in dependencies ? 'dependency' : peerDependenciesMeta[name] ? 'optional peer' : 'peer');
}
/** The packages by name and licence, so that all copies of a package under one licence have one row. */
const copies = [...found.values()].map((one) => [`${one.name} ${one.licence}`, one]).toReversed();
const rows = [...new Map(copies).values()]
  .toSorted((a, b) => (a.name < b.name ? -1 : 1))
  .map(({ name, licence, as }) => `| \`${name}\` | ${licence} | ${as} |`);
const table = ['| package | licence | relation |', '| --- | --- | --- |', ...rows].join('\n');
const present = readFileSync(list, 'utf8');
const [from, to] = [present.indexOf(BEGIN), present.indexOf(END)];
if (from < 0 || to < from) throw new Error(`docs/licences.md lacks ${BEGIN} and ${END}`);
const written = `${present.slice(0, from)}${BEGIN}\n\n${table}\n\n${present.slice(to)}`;
const formatted = await prettier.format(written, { ...(await prettier.resolveConfig(list)), parser: 'markdown' });
if (!process.argv.includes('--check')) writeFileSync(list, formatted);
else if (formatted !== present) fail('docs/licences.md is outdated. Run `npm run licences` and commit the change.');
for (const { name, licence } of found.values()) {
  if (!ALLOWED.has(licence))
    fail(`${name}: the licence ${licence} is not on the list of allowed licences in scripts/licences.mjs`);
}

/** Records a package and its dependencies. A transitive dependency is listed with the package that depends on it. */
function walk(name, dependant, as) {
  const folder = installed(name, dependant);
  if (folder === undefined) fail(`${name} is not installed. Run \`npm ci\`.`);
  if (folder === undefined || found.has(folder)) return;
  const { license, licenses, dependencies: own = {} } = manifestOf(folder);
  const licence = license?.type ?? license ?? licenses?.map(({ type }) => type).join(' AND ') ?? BY_HAND[name];
  found.set(folder, { name, licence: licence ?? 'none stated', as });
  for (const inner of Object.keys(own)) walk(inner, folder, as.startsWith('with ') ? as : `with \`${name}\``);
}

/** Returns the folder to which Node resolves a package; `undefined` if it is not installed. */
function installed(name, folder) {
  const here = join(folder, 'node_modules', name);
  if (existsSync(join(here, 'package.json'))) return here;
  return folder === dirname(folder) ? undefined : installed(name, dirname(folder));
}

function fail(line) {
  console.error(line);
  process.exitCode = 1;
}
