// `npm run mutate`: changes the code in one place at a time and runs the specs of that folder. A change that makes no spec fail
// is reported as survived. `-- contexts --sample 60 --seed 2` tries 60 mutants of the folders whose names contain `contexts`. The
// script changes a copy in `.mutation`, never the work tree. After an interruption, the next run continues with the remaining
// mutants, unless the work tree has changed.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { mutantsOf } from './mutate/mutants.mjs';

const SOURCES = 'libs/xpay-auth/src';
/** Folders to mutate, each with groups of jest's patterns for specs. A group runs only if the previous group has passed. */
const FOLDERS = {
  'rate-limit': ['src/rate-limit', 'inbound/named', 'inbound/(attempts|addresses|rate-limited)', 'cluster/store'],
  verification: [
    'src/verification',
    'inbound/(attempts|rate-limited|remem|stale|upstream|sleep|answers)',
    'conformance',
    'observability/metrics',
  ],
  sessions: ['src/sessions', 'inbound/sessions', 'cluster/(sessions|equal)', 'fuzz/stored|observability/metrics'],
  cluster: ['src/cluster', 'cluster/(store|sessions|token|shared|equal|alone)', 'fuzz/stored|observability/metrics'],
  'nest/guards': ['inbound/(scopes|named)'],
  'nest/requirement': ['inbound/(scopes|request-user|isolation|passport|named)', 'contexts/(two|concurrent|graphql)'],
  'nest/contexts': [
    'nest/contexts',
    'inbound/(scopes|named|request-user)',
    'test/contexts/(graphql|micro|two|unknown|concurrent|websocket)',
    'test/filters',
    'inbound/(answers|broken)',
  ],
  'nest/request': ['nest/request', 'inbound/(named|addresses|presenting|hostile)', 'contexts/websocket'],
};

const text = { type: 'string' };
const options = { sample: { ...text, default: 'Infinity' }, seed: { ...text, default: '1' } };
const { values, positionals } = parseArgs({ allowPositionals: true, options });
const root = resolve(import.meta.dirname, '..');
const [tree, resultsFile] = [join(root, '.mutation/tree'), join(root, '.mutation/results.json')];
let jest;
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => (kill(jest), process.exit(130)));

const folders = Object.keys(FOLDERS).filter((name) => positionals.every((word) => name.includes(word)));
const all = folders.flatMap(mutantsIn);
const mutants = all.toSorted(by(({ id }) => sha256(values.seed + id))).slice(0, Number(values.sample));
const results = copyTree();
console.log(`${mutants.length} of ${all.length} mutants`);
for (const mutant of mutants.toSorted(by(({ folder, file }) => folders.indexOf(folder) + file))) {
  results[mutant.id] ??= await outcomeOf(mutant);
  writeFileSync(resultsFile, JSON.stringify(results));
  console.log(`${results[mutant.id].padEnd(8)}  ${describe(mutant)}`);
}
for (const folder of folders) summarize(folder, (mutant) => mutant.folder === folder);
summarize('all', () => true);
for (const mutant of mutants) if (results[mutant.id] === 'survived') console.log(`survived  ${describe(mutant)}`);

function mutantsIn(folder) {
  const names = readdirSync(join(root, SOURCES, folder)).filter((name) => /(?<!\.spec)\.ts$/.test(name));
  return names.flatMap((name) => {
    const file = `${SOURCES}/${folder}/${name}`;
    const found = mutantsOf(readFileSync(join(root, file), 'utf8'));
    return found.map((mutant) => ({
      ...mutant,
      folder,
      file,
      id: `${file} ${mutant.start} ${mutant.end} ${mutant.to}`,
    }));
  });
}

/** Copies the files that the specs read. Returns the results of earlier runs of the same code and specs. */
function copyTree() {
  rmSync(tree, { recursive: true, force: true });
  for (const part of ['libs', 'src', 'test', 'examples', 'package.json', 'jest.config.mjs'])
    cpSync(join(root, part), join(tree, part), { recursive: true, filter: isSource });
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
    const limitMs = (results[`limit ${specs}`] ??= await limitOf(specs));
    writeFileSync(path, original.slice(0, start) + to + original.slice(end));
    const outcome = await runJest(specs, limitMs);
    writeFileSync(path, original);
    if (outcome !== 'survived') return outcome;
  }
  return 'survived';
}

/** Runs the specs without a mutant, which must pass. Returns the time limit for a mutant: four times as long and 30 s, in ms. */
async function limitOf(specs) {
  const startedAt = performance.now();
  if ((await runJest(specs, 3_600_000)) !== 'survived') throw new Error(`${specs} fails without a mutant`);
  return 30_000 + 4 * (performance.now() - startedAt);
}

/** Runs jest in a separate process group, so that the programs that the specs start can be ended together with jest. */
function runJest(specs, limitMs) {
  const flags = ['--experimental-vm-modules', '--no-warnings', 'node_modules/jest/bin/jest.js', '--bail', '-w', '1'];
  return new Promise((settle) => {
    jest = spawn(process.execPath, [...flags, specs], { cwd: tree, stdio: 'ignore', detached: true });
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

function summarize(title, isIn) {
  const count = (outcome) => mutants.filter((one) => isIn(one) && results[one.id] === outcome).length;
  const [killed, timeout, survived] = [count('killed'), count('timeout'), count('survived')];
  if (killed + timeout + survived === 0) return;
  const score = ((100 * (killed + timeout)) / (killed + timeout + survived)).toFixed(0);
  console.log(`${title}: ${killed} killed, ${timeout} timeouts, ${survived} survived (${score} %)`);
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
