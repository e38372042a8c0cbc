// Soak: ten minutes at full speed with changing callers, to detect growth.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chart } from '../figures/chart.mjs';
import { spread } from '../figures/statistics.mjs';
import { loadFor } from '../machine/load-for.mjs';
import { withProcesses } from '../machine/child.mjs';
import { LOAD_CORE, SERVER_CORE } from '../machine/cores.mjs';

const path = (name) => fileURLToPath(new URL(name, import.meta.url));
const MAX_ENTRIES = 10_000;
const PERIOD_MS = 10_000;
/** Number of callers who send half of the requests. The other half come from far more callers than the cache has entries. */
const REGULARS = 1_000;
const STRANGERS = 1_000_000;
const SAMPLES = 60;
const CHART = path('../../docs/benchmarks-soak.svg');

export async function measure({ minutes = 10, say }) {
  const seconds = (minutes * 60) / SAMPLES;
  const samples = await withProcesses(async (start) => {
    const load = await start(path('../machine/load.mjs'), { core: LOAD_CORE });
    const upstream = await start(path('../growth/upstream.mjs'), { core: LOAD_CORE });
    const server = await start(path('../growth/server.mjs'), {
      core: SERVER_CORE,
      args: ['fastify', MAX_ENTRIES, PERIOD_MS],
      flags: ['--expose-gc'],
      env: { BENCH_UPSTREAM: upstream.ready.url },
    });
    const callers = {
      count: STRANGERS,
      regulars: REGULARS,
      prefix: 'stranger-',
      secretKey: 'a-key-of-24-bytes-length',
    };
    const taken = [];
    for (let i = 0; i < SAMPLES; i++) {
      const { perSecond, p99 } = await loadFor(load, server, undefined, seconds, { callers });
      const { heapUsed, rss } = await server.ask('memory');
      const handles = await server.ask('handles');
      taken.push({
        minute: ((i + 1) * seconds) / 60,
        perSecond,
        p99,
        handles,
        heapMb: heapUsed / 2 ** 20,
        rssMb: rss / 2 ** 20,
      });
      if (i % 6 === 5) say(`${Math.round(taken.at(-1).minute * 60)} s: heap ${Math.round(taken.at(-1).heapMb)} MB`);
    }
    return taken;
  });
  writeFileSync(CHART, chart(samples));
  // The first tenth fills the cache. After that the figures must stay flat.
  const settled = samples.slice(SAMPLES / 10);
  const half = settled.length / 2;
  const change = (key) => median(settled.slice(half), key) / median(settled.slice(0, half), key);
  return {
    minutes,
    maxEntries: MAX_ENTRIES,
    regulars: REGULARS,
    strangers: STRANGERS,
    requests: Math.round(samples.reduce((sum, { perSecond }) => sum + perSecond * seconds, 0)),
    rows: ['heapMb', 'rssMb', 'handles', 'p99', 'perSecond'].map((id) => ({
      id,
      ...spread(settled.map((sample) => sample[id])),
      change: change(id),
    })),
    samples,
  };
}

function median(samples, key) {
  return spread(samples.map((sample) => sample[key])).median;
}
