// Crowd: many uncached callers at the same time. Measures how many are refused, and how long the others wait.
import { fileURLToPath } from 'node:url';
import { spread } from '../figures/statistics.mjs';
import { withProcesses } from '../machine/child.mjs';
import { LOAD_CORE, SERVER_CORE } from '../machine/cores.mjs';

const path = (name) => fileURLToPath(new URL(name, import.meta.url));
const UPSTREAM_MS = 50;
const ROWS = [50, 1_000, 5_000].flatMap((callers) => [200, 1].map((addresses) => ({ callers, addresses })));

export async function measure({ rounds = 5, say }) {
  const rows = ROWS.map((row) => ({ ...row, samples: [] }));
  for (let round = 0; round < rounds; round++) {
    say(`round ${round + 1} of ${rounds}`);
    for (const row of rows) row.samples.push(await sample(row));
  }
  return { upstreamMs: UPSTREAM_MS, rows: rows.map(summarise) };
}

/** Starts the callers, the upstream and the server. Only the server has a core to itself. */
function sample({ callers: count, addresses }) {
  return withProcesses(async (start) => {
    const callers = await start(path('callers.mjs'), { core: LOAD_CORE });
    const upstream = await start(path('upstream.mjs'), { core: LOAD_CORE, args: [UPSTREAM_MS] });
    const server = await start(path('server.mjs'), { core: SERVER_CORE, env: { BENCH_UPSTREAM: upstream.ready.url } });
    const figures = await callers.ask('come', { url: server.ready.url, count, addresses });
    return { ...figures, most: await upstream.ask('most') };
  });
}

function summarise({ samples, ...row }) {
  const of = (pick) => spread(samples.map(pick));
  return {
    ...row,
    refused: of(({ refused }) => refused),
    p50: of(({ p50 }) => p50),
    p99: of(({ p99 }) => p99),
    most: of(({ most }) => most),
  };
}
