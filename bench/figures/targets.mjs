// The targets, each with its measurement.
import { readResults } from './results.mjs';

/** Versions of Node that have targets. */
const JUDGED_NODES = ['24', '26'];

const PEERS = { 'ours-passport': 'Passport with the same cache', 'fastify-basic-auth': '@fastify/basic-auth' };

/** Returns one row for each target that has a measurement: description, bound, figure, and whether the target is met. */
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
  const row = (id) =>
    inbound?.rows.find((each) => each.id === id && each.platform === platform && each.node.startsWith(`${node}.`));
  const [own, rotating, digest] = ['ours-scopes', 'ours-rotating', 'digest-alone'].map(row);
  const slower = own && rotating && Math.min(own.ratio.median, rotating.ratio.median);
  const ahead = ['ours-passport', 'fastify-basic-auth'].map((id) => [id, row(id)]).filter(([, peer]) => slower && peer);
  const below = digest && rotating && digest.ratio.median - rotating.ratio.median;
  const p99 = own && rotating && Math.max(own.p99Ratio.median, rotating.p99Ratio.median);
  return [
    atLeast(`${where}: one caller per connection, relative to the unguarded route`, bound, own?.ratio.median),
    atMost(`${where}: rotating callers, below a guard that only computes one SHA-256`, 0.03, below),
    atMost(`${where}: p99, relative to the unguarded route`, 1.3, p99),
    ...ahead.map(([id, peer]) =>
      atLeast(`${where}: the slower of both rows, relative to ${PEERS[id]}`, 1, slower / peer.ratio.median),
    ),
  ];
}

function atLeast(what, bound, measured) {
  return { what, bound: `≥ ${bound}`, measured, met: measured >= bound };
}

function atMost(what, bound, measured) {
  return { what, bound: `≤ ${bound}`, measured, met: measured <= bound };
}
