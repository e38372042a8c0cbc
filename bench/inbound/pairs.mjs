// Measures routes in pairs: all servers run at the same time, and their slices alternate.
import { fileURLToPath } from 'node:url';
import { median } from '../figures/statistics.mjs';
import { withProcesses } from '../machine/child.mjs';
import { BASELINE, NOISE } from './rows.mjs';

const path = (name) => fileURLToPath(new URL(name, import.meta.url));
export const SLICE_MS = 250;
/** CPU time in µs that each server uses before it is measured, so that its code is compiled by then. */
const WARM_UP = 800_000;

/**
 * Measures rows beside one unguarded server. In each round every server has one slice, in a random order.
 *
 * @returns the medians of each row over all rounds
 */
export function measurePairs({ platform, node, rows, core, pairs, env }) {
  return withProcesses(async (start) => {
    const load = await start(path('load.mjs'), { core });
    const serve = async (make) => {
      const server = await start(path('server.mjs'), { core, args: [platform, ...make], node: node.path, env });
      return { pid: server.pid, ...server.ready };
    };
    const baseline = await serve(BASELINE);
    const servers = new Map();
    for (const { make } of rows) if (!servers.has(make)) servers.set(make, await serve(make));
    const sides = rows.map(({ id, make, rotate }) => ({ ...servers.get(make), id, rotate }));
    // The unguarded routes get the headers of the rows.
    const { authorizations } = sides.at(-1);
    sides.push({ ...baseline, id: 'baseline', authorizations });
    sides.find(({ id }) => id === NOISE.id).authorizations = authorizations;
    // Rows with the same server have separate connections: a connection that has carried two callers is not recognised again.
    for (const side of sides) await load.ask('open', side);
    const measureRound = async () => {
      const slices = {};
      for (const side of shuffled(sides)) slices[side.id] = await load.ask('slice', { ...side, ms: SLICE_MS });
      return slices;
    };
    const warmth = Object.fromEntries(sides.map(({ id }) => [id, 0]));
    while (Math.min(...Object.values(warmth)) < WARM_UP) {
      for (const [id, { used }] of Object.entries(await measureRound())) warmth[id] += used;
    }
    const rounds = [];
    while (rounds.length < pairs) rounds.push(await measureRound());
    return rows.map(({ id, name }) => {
      const of = (pick) => median(rounds.map((slices) => pick(slices[id], slices.baseline)));
      return {
        platform,
        node: node.version,
        id,
        name,
        ratio: of((row, unguarded) => unguarded.cpu / row.cpu),
        cpu: of((row) => row.cpu),
        addedCpu: of((row, unguarded) => row.cpu - unguarded.cpu),
        p99Ratio: of((row, unguarded) => row.p99 / unguarded.p99),
      };
    });
  });
}

function shuffled(list) {
  return list
    .map((item) => ({ item, at: Math.random() }))
    .toSorted((one, other) => one.at - other.at)
    .map(({ item }) => item);
}
