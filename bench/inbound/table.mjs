// Inbound: the cost of a guard on a small route, on Express and Fastify.
import { startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { spread } from '../figures/statistics.mjs';
import { pinned, LOAD_CORE, SERVER_CORE } from '../machine/cores.mjs';
import { nodeOf } from '../machine/nodes.mjs';
import { callers } from './callers.mjs';
import { measurePairs, SLICE_MS } from './pairs.mjs';
import { NOISE, OTHERS, TARGETS } from './rows.mjs';

const PLATFORMS = ['express', 'fastify'];
/** Major versions of Node. The first one has all rows. The last one has no target, so it has one repeat of half the pairs. */
const NODES = ['24', '26', '20'];
/** Each core runs servers and their load. The load may share the core of a server, because only the server's CPU time counts. */
const CORES = pinned ? [SERVER_CORE, LOAD_CORE] : [SERVER_CORE];
/** Limits of the row that measures the unguarded route against itself. */
const QUIET = { from: 0.97, to: 1.03 };
const MOST_ATTEMPTS = 2;

/**
 * Measures every row against the unguarded route.
 *
 * @param rounds repeats of the rows with a target, each in fresh processes
 * @param pairs number of slices of each row with a target in one repeat. The other rows have half as many, and one repeat
 */
export async function measure({ rounds = 3, pairs = 40, only = () => true, nodes = NODES, others = OTHERS, say }) {
  const emulator = await startXPayEmulator({ accounts: callers });
  const found = nodes.map(nodeOf);
  for (const { problem } of found) if (problem !== undefined) say(problem);
  const tasks = tasksOf({ rounds, pairs, only, others, nodes: found.filter(({ version }) => version !== undefined) });
  const samples = [];
  const queue = tasks.entries();
  const work = async (core) => {
    for (const [at, task] of queue) {
      const title = `${task.platform}, Node ${task.node.version}`;
      say(`${at + 1} of ${tasks.length}: ${title}, ${task.rows.map(({ id }) => id).join(', ')}`);
      const options = { ...task, core, env: { BENCH_UPSTREAM: emulator.url } };
      samples.push(...(await measureQuietly(options, (line) => say(`${at + 1} of ${tasks.length}: ${line}`))));
    }
  };
  try {
    await Promise.all(CORES.map(work));
  } finally {
    await emulator.stop();
  }
  const how =
    `${pairs} pairs of slices of ${SLICE_MS} ms; medians of ${rounds} repeats in fresh processes, extremes in brackets ` +
    `(rows without brackets: one repeat of ${Math.ceil(pairs / 2)} pairs)`;
  return { pairs, how, rows: summarise(samples) };
}

/** Returns one task for each group of rows, platform, version of Node and repeat. */
function tasksOf({ rounds, pairs, only, others, nodes }) {
  const tasks = [];
  const add = (group, node, count) => {
    for (const platform of PLATFORMS) {
      const rows = group.filter((row) => row.platforms.includes(platform) && only(row));
      if (rows.length > 0) tasks.push({ platform, node, rows: [NOISE, ...rows], pairs: count });
    }
  };
  const [first, ...further] = nodes;
  const last = further.pop();
  for (let round = 0; round < rounds; round++) for (const node of [first, ...further]) add(TARGETS, node, pairs);
  if (last !== undefined) add(TARGETS, last, Math.ceil(pairs / 2));
  for (const group of others) add(group, first, Math.ceil(pairs / 2));
  return tasks;
}

/** Measures a group again while its noise is outside of the limits. */
async function measureQuietly(options, say) {
  for (let attempt = 1; ; attempt++) {
    const samples = await measurePairs(options);
    const noise = samples.find(({ id }) => id === NOISE.id).ratio;
    const noisy = noise < QUIET.from || noise > QUIET.to;
    if (noisy) say(`too noisy: unguarded against itself is ${noise.toFixed(3)}`);
    if (!noisy || attempt === MOST_ATTEMPTS) return samples.map((each) => ({ ...each, noisy }));
  }
}

/** Returns one row for each platform, version of Node and route. */
function summarise(samples) {
  const rows = new Map();
  for (const { platform, node, id, name, ...figures } of samples) {
    const key = [platform, node, id].join(' ');
    const row = rows.get(key) ?? { platform, node, id, name, repeats: [] };
    row.repeats.push(figures);
    rows.set(key, row);
  }
  return [...rows.values()].map(({ repeats, ...row }) => {
    const of = (figure) => spread(repeats.map((each) => each[figure]));
    const noisy = repeats.some((each) => each.noisy);
    return { ...row, noisy, ratio: of('ratio'), cpu: of('cpu'), addedCpu: of('addedCpu'), p99Ratio: of('p99Ratio') };
  });
}
