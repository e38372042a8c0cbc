// Inbound: the cost of a guard on a small route, on Express and Fastify.
import { startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { fileURLToPath } from 'node:url';
import { withProcesses } from '../machine/child.mjs';
import { LOAD_CORE, SERVER_CORE } from '../machine/cores.mjs';
import { nodeOf } from '../machine/nodes.mjs';
import { spread } from '../figures/statistics.mjs';
import { caller } from './callers.mjs';
import { duel, warmUp } from './duel.mjs';
import { BASELINE, ROWS } from './rows.mjs';

const SERVER = fileURLToPath(new URL('server.mjs', import.meta.url));
const LOAD = fileURLToPath(new URL('../machine/load.mjs', import.meta.url));
const PLATFORMS = ['express', 'fastify'];

/** Major versions of Node in addition to the one that runs the bench. */
export const OTHER_NODES = ['22', '24'];

/** Measures every row against the unguarded route, in fresh processes each time. */
export async function measure({ rounds = 5, seconds = 0.5, only, nodes = OTHER_NODES, say }) {
  const emulator = await startXPayEmulator({ accounts: [caller] });
  const results = new Map();
  try {
    await withProcesses(async (start) => {
      const load = await start(LOAD, { core: LOAD_CORE });
      const run = { load, seconds, env: { BENCH_UPSTREAM: emulator.url }, say };
      const fields = fieldsOf(nodes, only);
      for (let round = 0; round < rounds; round++) {
        for (const field of fields) {
          say(`round ${round + 1} of ${rounds}, ${field.platform}, Node ${field.node.version ?? field.node.problem}`);
          await measureField(run, { ...field, rows: rotated(field.rows, round * 3) }, results);
        }
      }
    });
  } finally {
    await emulator.stop();
  }
  return { rows: [...results.values()].map(summarise) };
}

/** A platform on a Node version, and its rows. */
function fieldsOf(nodes, only = () => true) {
  const here = { path: process.execPath, version: process.versions.node };
  const others = nodes.map(nodeOf);
  return PLATFORMS.flatMap((platform) => {
    const rows = ROWS.filter((row) => row.platforms.includes(platform) && only(row));
    return [
      { platform, node: here, rows },
      ...others.map((node) => ({ platform, node, rows: rows.filter((row) => row.nodes) })),
    ];
  });
}

async function measureField(run, { platform, node, rows }, results) {
  if (node.problem !== undefined) return;
  for (const row of rows) {
    const key = [platform, node.version, row.id].join(' ');
    const result = results.get(key) ?? { platform, node: node.version, id: row.id, name: row.name, pairs: [] };
    results.set(key, result);
    if (result.problem !== undefined) continue;
    try {
      // Both processes are equally old: a server that has run for longer is a few percent faster.
      await withProcesses(async (start) => {
        const serve = ({ make }) => {
          const args = [platform, ...make];
          return start(SERVER, { core: SERVER_CORE, args, flags: row.flags, node: node.path, env: run.env });
        };
        const [baseline, variant] = await Promise.all([serve(BASELINE), serve(row)]);
        for (const server of [baseline, variant]) await warmUp(run.load, server, variant.ready.authorization);
        result.pairs.push(await duel({ ...run, baseline, variant }));
      });
    } catch (failure) {
      result.problem = failure.message;
      run.say(`${key}: ${failure.message}`);
    }
  }
}

function summarise({ pairs, ...row }) {
  const of = (pick) => spread(pairs.map(pick));
  if (pairs.length === 0) return row;
  return {
    ...row,
    ratio: of(({ baseline, variant }) => variant.perSecond / baseline.perSecond),
    perSecond: of(({ variant }) => variant.perSecond),
    cpu: of(({ variant }) => variant.cpu),
    addedCpu: of(({ baseline, variant }) => variant.cpu - baseline.cpu),
    cpuRatio: of(({ baseline, variant }) => baseline.cpu / variant.cpu),
    p50: of(({ variant }) => variant.p50),
    p99: of(({ variant }) => variant.p99),
    p99Ratio: of(({ baseline, variant }) => variant.p99 / baseline.p99),
    busy: of(({ variant }) => variant.busy),
  };
}

function rotated(list, by) {
  const at = list.length === 0 ? 0 : by % list.length;
  return [...list.slice(at), ...list.slice(0, at)];
}
