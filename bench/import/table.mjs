// Import: the CPU time of loading the root entry point, and the packages that the library brings, beyond its peers.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { spread } from '../figures/statistics.mjs';
import { SERVER_CORE, onCore } from '../machine/cores.mjs';

const library = resolve(import.meta.dirname, '../../libs/xpay-auth');
const { name, dependencies, peerDependencies, peerDependenciesMeta } = manifestOf(library);
const peers = Object.keys(peerDependencies).filter((peer) => peerDependenciesMeta[peer]?.optional !== true);

export function measure({ rounds = 15, say }) {
  const samples = [];
  for (let round = 0; round < rounds; round++) {
    say(`round ${round + 1} of ${rounds}`);
    samples.push(cpuOfImports());
  }
  const of = (pick) => spread(samples.map(pick));
  const row = { peersCpuMs: of(({ peers }) => peers), addedCpuMs: of(({ library }) => library) };
  const packages = packagesBeyondPeers();
  return { rows: [{ id: 'root', ...row, packages: packages.length, names: packages.join(', ') }] };
}

/**
 * CPU time in ms of a fresh process until it has imported the peers, as the library resolves them, and of its import of the
 * library after that. The difference between two processes has the same median but is four times as noisy.
 */
function cpuOfImports() {
  const program = [
    ...peers.map((each) => `await import(${JSON.stringify(each)});`),
    'const before = process.cpuUsage();',
    `await import(${JSON.stringify(name)});`,
    'const added = process.cpuUsage(before);',
    'const ms = ({ user, system }) => (user + system) / 1_000;',
    'console.log(JSON.stringify({ peers: ms(before), library: ms(added) }));',
  ].join('\n');
  const [command, args] = onCore(SERVER_CORE, [process.execPath, '--input-type=module', '--eval', program]);
  const env = { ...process.env, NODE_ENV: 'production' };
  return JSON.parse(execFileSync(command, args, { cwd: library, encoding: 'utf8', env }));
}

/** The packages that an installation adds to an app that has the required peers, the library included. */
function packagesBeyondPeers() {
  const present = new Map();
  for (const peer of peers) walk(peer, library, present);
  const all = new Map(present);
  for (const dependency of Object.keys(dependencies)) walk(dependency, library, all);
  return [name, ...[...all].filter(([folder]) => !present.has(folder)).map(([, each]) => each)];
}

/** Collects a package and its dependencies by folder. */
function walk(each, dependant, found) {
  const folder = installed(each, dependant);
  if (folder === undefined) throw new Error(`${each} is not installed. Run \`npm ci\`.`);
  if (found.has(folder)) return;
  found.set(folder, each);
  for (const inner of Object.keys(manifestOf(folder).dependencies ?? {})) walk(inner, folder, found);
}

/** The folder that Node resolves. */
function installed(each, folder) {
  const here = join(folder, 'node_modules', each);
  if (existsSync(join(here, 'package.json'))) return here;
  return folder === dirname(folder) ? undefined : installed(each, dirname(folder));
}

function manifestOf(folder) {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
}
