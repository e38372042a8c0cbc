// `npm run mutate`: changes the code in one place at a time and runs the specs of that folder. A change that makes no spec fail
// is reported as survived. `-- token cluster --sample 8 --seed 2` tries 8 mutants of each folder whose name contains `token` or
// `cluster`. The script changes a copy in `.mutation`, never the work tree. After an interruption, the next run continues with
// the remaining mutants, unless the work tree has changed.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { mutantsOf } from './mutate/mutants.mjs';

const SOURCES = 'libs/xpay-auth/src';
/** Folders to mutate, each with groups of jest's patterns for specs. A group runs only if the previous group has passed. */
const FOLDERS = {
  token: [
    'src/token|cluster/shared-token',
    'outbound/(api|clocks|permission|refused|rejected|shutdown|sleep|waiting)|dialects/password|test/accounts',
    'outbound/(as-caller|envelope|outage|wrong)|conformance',
  ],
  verification: [
    'src/verification',
    'inbound/(attempts|rate-limited|remem|stale|upstream|sleep|answers)',
    'inbound/fair|outbound/as-caller|conformance|observability/metrics',
  ],
  sessions: [
    'src/sessions',
    'inbound/(sessions|audit)',
    'cluster/(as-caller|sessions)|outbound/as-caller',
    'cluster/equal|fuzz/stored|observability/metrics',
  ],
  'rate-limit': [
    'src/rate-limit',
    'inbound/named',
    'inbound/(attempts|addresses|rate-limited)',
    'cluster/(alone|store)',
  ],
  cluster: [
    'src/cluster',
    'cluster/(store|sessions|token|shared|equal|alone)',
    'cluster/(accounts|as-caller|foreign|lost|sealed)|fuzz/stored|observability/(metrics|operator)',
  ],
  http: [
    'src/http',
    'outbound/(bodies|connections|hostile|outage|undici)|dialects/(answer|null)|fuzz/(null|wire)',
    'inbound/connections',
  ],
  dialects: ['src/dialects', 'test/dialects', 'fuzz/(claims|dialects|null)|outbound/envelope|inbound/rate-limited'],
  'nest/guards': [
    'inbound/(scopes|named)',
    'contexts/(two|unknown|websocket)',
    'inbound/(answers|audit|broken|passport|request-user)|contract/|observability/metrics',
  ],
  core: [
    'src/core',
    'src/(cluster|rate-limit|sessions|token|verification)',
    'inbound/(answers|connections|presenting|scopes)|test/accounts|fuzz/(claims|headers)',
    'outbound/(clocks|refused|secrets)|observability/(metrics|spans)|contract/',
  ],
  async: [
    'src/async',
    'src/(cluster|token|verification)',
    'outbound/(outage|shutdown|waiting)|inbound/upstream|cluster/(alone|token)',
  ],
  stores: [
    'src/stores|cluster/(redis|sealed|store)',
    'fuzz/stored|cluster/(lost|sessions)|cli/doctor-redis',
    'cluster/failover',
  ],
  schematics: ['src/schematics'],
  cli: ['cli/(doctor|whoami)'],
  'integrations/opentelemetry': ['observability/(metrics|spans|accounts|secrets)'],
  'integrations/swagger': ['openapi/(answers|marks|paths)', 'contract/'],
  'integrations/terminus': ['src/integrations|observability/health'],
  'testing/kit': ['src/testing/kit', 'test/testing-kit', 'cluster/(foreign|store)|src/http|contract.e2e'],
  'testing/emulators': ['src/testing/emulators', 'src/dialects|test/dialects', 'test/testing-kit|src/http'],
  'nest/options': ['src/nest/options', 'fuzz/environment|cli/doctor|observability/operator|adoption/boot'],
  'nest/services': [
    'outbound/(api|app-wide|axios|as-caller|bodies|envelope|outage|undici)',
    'test/accounts|inbound/(audit|connections|sessions)|contract/|observability/operator',
  ],
  'nest/exceptions': ['inbound/(answers|scopes)|test/filters|contexts/websocket'],
  'nest/filters': ['test/filters|contract/|contexts/graphql'],
  'nest/instance': [
    'contract/|adoption/boot|observability/operator|cluster/equal',
    'inbound/(audit|upstream)|test/accounts|outbound/(shutdown|undici)|testing-kit',
    'observability/(health|metrics)|cluster/(alone|sessions)',
  ],
  'nest/module': [
    'adoption/boot|contract/|observability/operator',
    'contexts/(graphql|micro|unknown|websocket)|inbound/(hostile|scopes)|openapi/paths',
  ],
  'nest/strategy': [
    'inbound/(passport|request-user|scopes)',
    'inbound/(attempts|hostile|presenting|stale|upstream)|contract/|observability/metrics',
  ],
  'nest/decorators': ['contract/|inbound/(request-user|scopes)', 'contexts/(graphql|unknown|websocket)|openapi/marks'],
  'nest/requirement': [
    'inbound/(scopes|request-user|isolation|passport|named)',
    'contexts/(two|concurrent|graphql)|contract/',
  ],
  'nest/contexts': [
    'nest/contexts',
    'inbound/(scopes|named|request-user)',
    'test/contexts/(graphql|grpc|micro|two|unknown|concurrent|websocket)',
    'test/filters',
    'inbound/(answers|broken)',
  ],
  'nest/request': ['nest/request', 'inbound/(named|addresses|presenting|hostile)', 'contexts/websocket|fuzz/headers'],
};
/** The files that the specs read. */
const DOCS = ['docs/doctor.md', 'docs/scale.md', 'docs/testing.md'];
const COPIED = ['libs', 'src', 'test', 'examples', ...DOCS, 'package.json', 'jest.config.mjs'];
/** Short forms of the fuzzers, as in `npm test`. */
const env = { FUZZ_RUNS: '60', ...process.env };

/** Time limit in ms for specs that have not passed yet. */
const FIRST_LIMIT_MS = 300_000;

const text = { type: 'string' };
const options = { sample: { ...text, default: 'Infinity' }, seed: { ...text, default: '1' } };
const { values, positionals } = parseArgs({ allowPositionals: true, options });
const root = resolve(import.meta.dirname, '..');
const [tree, resultsFile] = [join(root, '.mutation/tree'), join(root, '.mutation/results.json')];
let jest;
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => (kill(jest), process.exit(130)));

const isChosen = (name) => positionals.length === 0 || positionals.some((word) => name.includes(word));
const folders = Object.keys(FOLDERS).filter(isChosen);
const all = allMutants();
const mutants = folders.flatMap((name) => all.filter(({ folder }) => folder === name).slice(0, Number(values.sample)));
const results = copyTree();
console.log(`${mutants.length} mutants`);
for (const mutant of mutants) {
  results[mutant.id] ??= await outcomeOf(mutant);
  writeFileSync(resultsFile, JSON.stringify(results));
  console.log(`${results[mutant.id].padEnd(8)}  ${describe(mutant)}`);
}
console.log('| folder | mutants | tried | killed | timeout | survived |');
for (const folder of folders) summarize(folder, (mutant) => mutant.folder === folder);
for (const mutant of mutants) if (results[mutant.id] === 'survived') console.log(`survived  ${describe(mutant)}`);

/** Returns all mutants, in an order that depends on the seed. */
function allMutants() {
  const names = readdirSync(join(root, SOURCES), { recursive: true }).map((name) => name.replaceAll('\\', '/'));
  const found = names.filter((name) => /\/.*(?<!\.spec)\.ts$/.test(name)).flatMap(mutantsIn);
  return found.toSorted(by(({ id }) => sha256(values.seed + id)));
}

function mutantsIn(name) {
  const file = `${SOURCES}/${name}`;
  const folder = Object.keys(FOLDERS).find((one) => name.startsWith(`${one}/`));
  const found = mutantsOf(readFileSync(join(root, file), 'utf8'));
  if (folder === undefined && found.length > 0) throw new Error(`FOLDERS names no specs for ${file}`);
  return found.map((mutant) => ({ ...mutant, folder, file, id: `${file} ${mutant.start} ${mutant.end} ${mutant.to}` }));
}

/** Copies the files that the specs read. Returns the results of earlier runs of the same code and specs. */
function copyTree() {
  rmSync(tree, { recursive: true, force: true });
  for (const part of COPIED) cpSync(join(root, part), join(tree, part), { recursive: true, filter: isSource });
  const files = readdirSync(tree, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const version = sha256(
    JSON.stringify(FOLDERS) +
      files.map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'utf8')).join('\0'),
  );
  symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'), 'junction');
  const known = existsSync(resultsFile) ? JSON.parse(readFileSync(resultsFile, 'utf8')) : {};
  return known.version === version ? known : { version };
}

async function outcomeOf({ folder, file, start, end, to }) {
  const path = join(tree, file);
  const original = readFileSync(path, 'utf8');
  for (const specs of FOLDERS[folder]) {
    writeFileSync(path, original.slice(0, start) + to + original.slice(end));
    const outcome = await timed(specs, results[`limit ${specs}`] ?? FIRST_LIMIT_MS);
    writeFileSync(path, original);
    // Without this check, a spec that always fails would count as a spec that notices the mutant.
    if (results[`limit ${specs}`] === undefined && (await timed(specs, FIRST_LIMIT_MS)) !== 'survived')
      throw new Error(`${specs} fails without a mutant`);
    if (outcome !== 'survived') return outcome;
  }
  return 'survived';
}

/** Runs the specs. When they pass for the first time, sets their time limit in ms: four times as long and 30 s. */
async function timed(specs, limitMs) {
  const startedAt = performance.now();
  const outcome = await runJest(specs, limitMs);
  if (outcome === 'survived') results[`limit ${specs}`] ??= 30_000 + 4 * (performance.now() - startedAt);
  return outcome;
}

/** Runs jest in a separate process group, so that the programs that the specs start can be ended together with jest. */
function runJest(specs, limitMs) {
  const flags = ['--experimental-vm-modules', '--no-warnings', 'node_modules/jest/bin/jest.js', '--bail', '-i'];
  return new Promise((settle) => {
    jest = spawn(process.execPath, [...flags, specs], { cwd: tree, env, stdio: 'ignore', detached: true });
    const timer = setTimeout(() => (settle('timeout'), kill(jest)), limitMs);
    jest.on('exit', (code) => (clearTimeout(timer), kill(jest), settle(code === 0 ? 'survived' : 'killed')));
  });
}

function kill(child) {
  try {
    if (child !== undefined) process.kill(-child.pid, 'SIGKILL');
  } catch {
    // The process group has already ended.
  }
}

function summarize(folder, isIn) {
  const tried = mutants.filter(isIn);
  const counts = ['killed', 'timeout', 'survived'].map(
    (outcome) => tried.filter(({ id }) => results[id] === outcome).length,
  );
  console.log(`| ${[folder, all.filter(isIn).length, tried.length, ...counts].join(' | ')} |`);
}

function describe({ file, line, from, to }) {
  return `${file.slice(SOURCES.length + 1)}:${line}  ${from.replaceAll(/\s+/g, ' ').slice(0, 90)}  →  ${to}`;
}

function sha256(input) {
  return createHash('sha256').update(input).digest('hex');
}

function isSource(path) {
  return !/[\\/](?:node_modules|dist)$/.test(path);
}

function by(key) {
  return (one, other) => (key(one) < key(other) ? -1 : 1);
}
