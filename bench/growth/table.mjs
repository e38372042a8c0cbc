// Growth: the cost of a request for one to a million callers, with a limited cache.
import { fileURLToPath } from 'node:url';
import { spread } from '../figures/statistics.mjs';
import { loadFor } from '../machine/load-for.mjs';
import { withProcesses } from '../machine/child.mjs';
import { LOAD_CORE, SERVER_CORE } from '../machine/cores.mjs';

const path = (name) => fileURLToPath(new URL(name, import.meta.url));
/** The rows. All have the default of `maxEntries`, except the last one, which has one entry for every caller. */
const ROWS = [
  { callers: 1, maxEntries: 10_000 },
  { callers: 1_000, maxEntries: 10_000 },
  { callers: 100_000, maxEntries: 10_000 },
  { callers: 1_000_000, maxEntries: 10_000 },
  { callers: 100_000, maxEntries: 100_000 },
];
const PERIOD_MS = 2_000;
/** Duration of a sample: two verification periods. */
const SECONDS = (2 * PERIOD_MS) / 1_000;

export async function measure({ rounds = 5, say }) {
  const rows = ROWS.map((row) => ({ ...row, samples: [] }));
  for (let round = 0; round < rounds; round++) {
    say(`round ${round + 1} of ${rounds}`);
    for (const row of rows) row.samples.push(await sample(row));
  }
  return { periodMs: PERIOD_MS, seconds: SECONDS, rows: rows.map(summarise) };
}

/** Starts the load, the upstream and the server. Only the server has a core to itself. */
function sample({ callers, maxEntries }) {
  return withProcesses(async (start) => {
    const load = await start(path('../machine/load.mjs'), { core: LOAD_CORE });
    const upstream = await start(path('upstream.mjs'), { core: LOAD_CORE });
    const env = { BENCH_UPSTREAM: upstream.ready.url };
    const args = ['fastify', maxEntries, PERIOD_MS];
    const server = await start(path('server.mjs'), { core: SERVER_CORE, args, env });
    const many = { callers: { count: callers, prefix: 'caller-', secretKey: 'a-key-of-24-bytes-length' } };
    await loadFor(load, server, undefined, PERIOD_MS / 1_000, many);
    const before = await upstream.ask('calls');
    const figures = await loadFor(load, server, undefined, SECONDS, many);
    const calls = (await upstream.ask('calls')) - before;
    const { heapUsed } = await server.ask('memory');
    return { ...figures, calls, heapUsed };
  });
}

function summarise({ samples, ...row }) {
  const of = (pick) => spread(samples.map(pick));
  return {
    ...row,
    perSecond: of(({ perSecond }) => perSecond),
    cpu: of(({ cpu }) => cpu),
    p99: of(({ p99 }) => p99),
    callsPerRequest: of(({ calls, answers }) => calls / answers),
    callsPerSecond: of(({ calls }) => calls / SECONDS),
    heapMb: of(({ heapUsed }) => heapUsed / 2 ** 20),
  };
}
