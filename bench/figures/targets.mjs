// The targets, each with its measurement.
import { readResults } from './results.mjs';

/** One row for each target with a measurement: description, bound, figure, and whether the target is met. */
export function targets() {
  const inbound = readResults('inbound');
  const outbound = readResults('outbound');
  const memory = readResults('memory');
  const row = (platform) =>
    inbound?.rows.find(({ id, node, platform: on }) => id === 'ours-basic' && node === inbound.node && on === platform);
  const ours = outbound?.rows.find(({ id }) => id === 'ours');
  const others = (outbound?.rows ?? []).filter(({ id, getNs }) => id !== 'ours' && getNs !== undefined);
  const fastest = others.toSorted((one, other) => one.getNs.median - other.getNs.median)[0];
  return [
    atLeast('requests/s on Express, relative to the unguarded route', 0.93, row('express')?.ratio?.median),
    atLeast('requests/s on Fastify, relative to the unguarded route', 0.87, row('fastify')?.ratio?.median),
    atMost('added CPU per request on Fastify, µs', 2.5, row('fastify')?.addedCpu?.median),
    atMost('p99 on Express, relative to the unguarded route', 1.3, row('express')?.p99Ratio?.median),
    atMost('p99 on Fastify, relative to the unguarded route', 1.3, row('fastify')?.p99Ratio?.median),
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
  ].filter(({ measured }) => measured !== undefined);
}

function atLeast(what, bound, measured) {
  return { what, bound: `≥ ${bound}`, measured, met: measured >= bound };
}

function atMost(what, bound, measured) {
  return { what, bound: `≤ ${bound}`, measured, met: measured <= bound };
}
