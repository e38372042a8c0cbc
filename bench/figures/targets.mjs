// The targets, each with its measurement.
import { readResults } from './results.mjs';

/** Versions of Node that have targets. */
const JUDGED_NODES = ['24', '26'];

/** Returns one row for each target that has a measurement: description, bound, figure, whether the target is met, and the floor. */
export function targets() {
  const inbound = readResults('inbound');
  const outbound = readResults('outbound');
  const memory = readResults('memory');
  const [root] = readResults('import')?.rows ?? [];
  const ours = outbound?.rows.find(({ id }) => id === 'ours');
  const others = (outbound?.rows ?? []).filter(
    ({ id, getNs }) => id !== 'ours' && id !== 'clock' && getNs !== undefined,
  );
  const fastest = others.toSorted((one, other) => one.getNs.median - other.getNs.median)[0];
  return [
    ...JUDGED_NODES.flatMap((node) => [
      ...inboundTargets(inbound, `Express, Node ${node}`, 'express', node, 0.95),
      ...inboundTargets(inbound, `Fastify, Node ${node}`, 'fastify', node, 0.9),
    ]),
    atMost(
      `\`getToken()\`, relative to the fastest peer${fastest === undefined ? '' : `, ${fastest.name}`}`,
      0.9,
      ours?.getNs && fastest ? ours.getNs.median / fastest.getNs.median : undefined,
    ),
    atMost('`peek()`, ns, scaled to an `await` of 32 ns', 45, ours?.peekNs?.median),
    atMost(
      'memory of a cached caller, bytes',
      420,
      memory?.rows.find(({ id }) => id === 'remembered')?.perEntry.median,
    ),
    atMost('importing the library, ms of CPU beyond its peers', 80, root?.addedCpuMs.median),
    atMost('packages that the library installs beyond its peers, itself included', 4, root?.packages),
    atMost('CPU time of a first-seen caller, with axios, relative to axios alone', 1.1, firstSeen('ours-axios')),
    atMost('the same, relative to axios with the same limits', 1.1, firstSeen('ours-axios', 'floorRatio')),
    atMost('CPU time of a first-seen caller, with undici, relative to axios alone', 0.5, firstSeen('ours-undici')),
  ].filter(({ measured }) => measured !== undefined);
}

function firstSeen(id, figure = 'ratio') {
  return readResults('first-seen')?.rows.find((row) => row.id === id)?.[figure]?.median;
}

function inboundTargets(inbound, where, platform, node, bound) {
  const find = (id) =>
    inbound?.rows.find((each) => each.id === id && each.platform === platform && each.node.startsWith(`${node}.`));
  const [digest, passport, basicAuth] = ['digest-alone', 'ours-passport', 'fastify-basic-auth'].map(find);
  const compare = (one, rotating) => ({
    one: one?.ratio.median,
    below: digest && rotating && digest.ratio.median - rotating.ratio.median,
    p99: one && rotating && Math.max(one.p99Ratio.median, rotating.p99Ratio.median),
    ahead: (peer) => one && rotating && peer && Math.min(one.ratio.median, rotating.ratio.median) / peer.ratio.median,
  });
  const ours = compare(find('ours-scopes'), find('ours-rotating'));
  const floor = compare(find('unavoidable'), find('unavoidable-rotating'));
  const slower = `${where}: the slower of both rows, relative to`;
  return [
    atLeast(`${where}: one caller per connection, relative to the unguarded route`, bound, ours.one, floor.one),
    atMost(`${where}: rotating callers, below a guard that only computes one SHA-256`, 0.03, ours.below, floor.below),
    atMost(`${where}: p99, relative to the unguarded route`, 1.3, ours.p99, floor.p99),
    atLeast(`${slower} Passport with the same cache`, 1, ours.ahead(passport), floor.ahead(passport)),
    atLeast(`${slower} @fastify/basic-auth`, 1, ours.ahead(basicAuth), floor.ahead(basicAuth)),
  ];
}

/** @param floor the same figure of the row that does only the unavoidable work, if there is such a row */
function atLeast(what, bound, measured, floor) {
  return { what, bound: `≥ ${bound}`, measured, met: measured >= bound, floor };
}

function atMost(what, bound, measured, floor) {
  return { what, bound: `≤ ${bound}`, measured, met: measured <= bound, floor };
}
