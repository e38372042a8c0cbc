// First-seen callers: the CPU time of the check of a caller with one request to the upstream, beside the request alone.
import { fileURLToPath } from 'node:url';
import { median, spread } from '../figures/statistics.mjs';
import { withProcesses } from '../machine/child.mjs';
import { LOAD_CORE, SERVER_CORE } from '../machine/cores.mjs';
import { cpuTimeOf } from '../machine/cpu-time.mjs';
import { nodeOf } from '../machine/nodes.mjs';

const path = (name) => fileURLToPath(new URL(name, import.meta.url));
const SLICE_MS = 250;
/** CPU time in µs that each process uses before it is measured, so that its code is compiled by then. */
const WARM_UP = 1_500_000;

/**
 * The first row is the unit of the others. A row of the library is also compared with its `floor`: the same request alone, with
 * the limits that no safe client can do without.
 */
const ROWS = [
  { id: 'axios', name: 'axios alone: one `POST` with `http.Agent`, keep-alive' },
  { id: 'axios-limits', name: 'axios alone, with limits' },
  { id: 'ours-axios', name: '**ours** with axios: the guard, one request', floor: 'axios-limits' },
  { id: 'undici', name: '`undici.request` alone' },
  { id: 'undici-limits', name: '`undici.request` alone, with limits' },
  { id: 'ours-undici', name: '**ours** with `undiciTransport()`', floor: 'undici-limits' },
];

export async function measure({ rounds = 3, pairs = 40, nodes = ['24'], say }) {
  const rows = [];
  for (const major of nodes) {
    const node = nodeOf(major);
    if (node.problem !== undefined) say(node.problem);
    else rows.push(...(await measureOn(node, { rounds, pairs, say })));
  }
  return { rows };
}

async function measureOn(node, { rounds, pairs, say }) {
  const rows = ROWS.map((row) => ({ ...row, node: node.version, samples: [] }));
  for (let round = 0; round < rounds; round++) {
    say(`Node ${node.version}, round ${round + 1} of ${rounds}`);
    const medians = await sample(node, pairs);
    for (const row of rows) row.samples.push(medians[row.id]);
  }
  return rows.map(({ samples, floor, ...row }) => ({
    ...row,
    cpu: spread(samples.map(({ cpu }) => cpu)),
    ratio: spread(samples.map(({ ratio }) => ratio)),
    ...(floor !== undefined && { floorRatio: spread(samples.map(({ floorRatio }) => floorRatio)) }),
  }));
}

/** All processes run at the same time, and their slices alternate. */
function sample(node, pairs) {
  return withProcesses(async (start) => {
    const upstream = await start(path('../crowd/upstream.mjs'), { core: LOAD_CORE, args: [0] });
    const env = { BENCH_UPSTREAM: upstream.ready.url };
    const sides = [];
    for (const { id } of ROWS) {
      const side = await start(path('caller.mjs'), { core: SERVER_CORE, args: [id], node: node.path, env });
      sides.push({ id, ...side });
    }
    const measureRound = async () => {
      const slices = {};
      for (const { id, pid, ask } of sides) {
        const before = cpuTimeOf(pid);
        const callers = await ask('slice', SLICE_MS);
        const used = cpuTimeOf(pid) - before;
        slices[id] = { used, cpu: used / callers };
      }
      return slices;
    };
    const warmth = Object.fromEntries(ROWS.map(({ id }) => [id, 0]));
    while (Math.min(...Object.values(warmth)) < WARM_UP) {
      for (const [id, { used }] of Object.entries(await measureRound())) warmth[id] += used;
    }
    const measured = [];
    while (measured.length < pairs) measured.push(await measureRound());
    const of = ({ id, floor = id }) => ({
      cpu: median(measured.map((slices) => slices[id].cpu)),
      ratio: median(measured.map((slices) => slices[id].cpu / slices.axios.cpu)),
      floorRatio: median(measured.map((slices) => slices[id].cpu / slices[floor].cpu)),
    });
    return Object.fromEntries(ROWS.map((row) => [row.id, of(row)]));
  });
}
