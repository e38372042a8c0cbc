// Renders the figures of the bench as Markdown tables, one renderer for each table.
import { targets } from './targets.mjs';

/** Formats a median, with its extremes if there are several values. */
const range = ({ median, min, max, of }, digits) =>
  of === 1 ? fixed(median, digits) : `${fixed(median, digits)} (${fixed(min, digits)}–${fixed(max, digits)})`;

const fixed = (value, digits = 0) => (digits === 0 ? Math.round(value).toLocaleString('en') : value.toFixed(digits));

const table = (heads, rows) =>
  [heads, heads.map((_, at) => (at === 0 ? '---' : '---:')), ...rows]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');

const PLATFORM_NAMES = { express: 'Express', fastify: 'Fastify' };

/** Renderers by the name of the marker in docs/benchmarks.md. Each gets the results of its table. */
export const RENDERERS = {
  targets: () =>
    table(
      ['target', 'bound', 'measured', '', 'floor'],
      targets().map(({ what, bound, measured, met, floor }) => [
        what,
        bound,
        fixed(measured, Number.isInteger(measured) || measured >= 10 ? 0 : 2),
        met ? 'met' : '**not met**',
        floor === undefined ? '' : fixed(floor, 2),
      ]),
    ),

  inbound: ({ rows }) =>
    Object.keys(PLATFORM_NAMES)
      .map((platform) => [PLATFORM_NAMES[platform], rows.filter((row) => row.platform === platform)])
      .filter(([, ofPlatform]) => ofPlatform.length > 0)
      .map(([name, ofPlatform]) => `### ${name}\n\n${inboundTable(ofPlatform)}`)
      .join('\n\n'),

  outbound: ({ rows, callers }) =>
    [
      table(
        ['with a valid token', 'ns, scaled', 'peek, ns, scaled'],
        rows
          .filter(({ getNs, problem }) => getNs !== undefined || problem !== undefined)
          .map(({ name, getNs, peekNs, problem }) =>
            getNs === undefined
              ? [name, `not measured: ${firstLine(problem)}`, '']
              : [name, range(getNs), peekNs ? range(peekNs) : '–'],
          ),
      ),
      table(
        [
          `requests for ${fixed(callers)} callers per process`,
          'none, 1 process',
          'expired, 1 process',
          'none, 8 processes',
          'expired, 8 processes',
          'failed callers',
        ],
        rows
          .filter(({ crowds }) => crowds?.[1] && crowds[8])
          .map(({ name, crowds: { 1: one, 8: eight } }) => [
            name,
            ...[one.cold, one.expired, eight.cold, eight.expired, one.failed + eight.failed].map((figure) =>
              fixed(figure),
            ),
          ]),
      ),
    ].join('\n\n'),

  memory: ({ rows }) =>
    table(
      ['', 'cached', 'bytes each', 'MB in total'],
      rows.map(({ name, remembered, perEntry, bytes }) => [
        name,
        fixed(remembered.median),
        range(perEntry),
        fixed(bytes.median / 2 ** 20, 1),
      ]),
    ),

  growth: ({ rows }) =>
    table(
      [
        'callers',
        '`maxEntries`',
        'requests/s',
        'µs of CPU',
        'p99, ms',
        'upstream calls per request',
        'upstream calls/s',
      ],
      rows.map(({ callers, maxEntries, perSecond, cpu, p99, callsPerRequest, callsPerSecond }) => [
        fixed(callers),
        fixed(maxEntries),
        range(perSecond),
        fixed(cpu.median),
        fixed(p99.median, 1),
        fixed(callsPerRequest.median, 3),
        fixed(callsPerSecond.median, 1),
      ]),
    ),

  'first-seen': ({ rows }) =>
    table(
      ['', 'Node', 'µs of CPU per caller', 'relative to axios alone', 'relative to the request with limits'],
      rows.map(({ name, node, cpu, ratio, floorRatio }) => [
        name,
        node,
        range(cpu),
        range(ratio, 2),
        floorRatio === undefined ? '' : range(floorRatio, 2),
      ]),
    ),

  crowd: ({ rows, upstreamMs }) =>
    table(
      [
        `concurrent callers, upstream ${upstreamMs} ms`,
        'addresses',
        'refused',
        'p50, ms',
        'p99, ms',
        'most concurrent upstream calls',
      ],
      rows.map(({ callers, addresses, refused, p50, p99, most }) => [
        fixed(callers),
        fixed(addresses),
        fixed(refused.max),
        range(p50),
        range(p99),
        fixed(most.max),
      ]),
    ),

  'forward-auth': ({ rows, problem, nginx }) =>
    problem === undefined
      ? table(
          [
            `nginx ${nginx}`,
            'requests/s without',
            'with `/verify`',
            'ratio',
            'µs added',
            'p99 without, ms',
            'p99 with, ms',
          ],
          rows.map(({ platform, open, guarded, ratio, addedMicros, p99, p99Open }) => [
            `reference app on ${PLATFORM_NAMES[platform]}`,
            fixed(open.median),
            range(guarded),
            range(ratio, 2),
            fixed(addedMicros.median),
            fixed(p99Open.median, 1),
            fixed(p99.median, 1),
          ]),
        )
      : `Not measured: ${problem}.`,

  import: ({ rows }) =>
    table(
      ['CPU time, ms', 'importing the peers', 'importing the library adds', 'packages beyond the peers'],
      rows.map(({ peersCpuMs, addedCpuMs, packages, names }) => [
        'the root entry point',
        range(peersCpuMs),
        range(addedCpuMs),
        `${packages}: ${names}`,
      ]),
    ),

  'cold-start': ({ rows }) =>
    table(
      [
        'ms',
        'empty Nest app ready',
        'importing the library adds',
        'booting it adds',
        'reference app: first guarded answer',
        'memory added, MB',
      ],
      rows.map(({ platform, emptyMs, importMs, bootMs, firstMs, addedRssMb }) => [
        PLATFORM_NAMES[platform],
        range(emptyMs),
        range(importMs),
        range(bootMs),
        range(firstMs),
        fixed(addedRssMb.median),
      ]),
    ),

  soak: ({ rows, minutes, requests }) => {
    const names = {
      heapMb: 'heap after a collection, MB',
      rssMb: 'resident, MB',
      handles: 'handles',
      p99: 'p99, ms',
      perSecond: 'requests/s',
    };
    const figures = table(
      [
        `${fixed(minutes, minutes < 1 ? 1 : 0)} minutes, ${fixed(requests)} requests`,
        'median',
        'minimum',
        'maximum',
        'second half / first half',
      ],
      rows.map(({ id, median, min, max, change }) => [
        names[id],
        ...[median, min, max].map((value) => fixed(value, value < 100 ? 1 : 0)),
        fixed(change, 2),
      ]),
    );
    return `${figures}\n\n![Heap, handles and p99, minute by minute](benchmarks-soak.svg)`;
  },
};

/** Returns a table with three columns for each version of Node. The last version has no target, and only the ratio. */
function inboundTable(rows) {
  const nodes = [...new Set(rows.map(({ node }) => node))];
  const columns = nodes.flatMap((node, at) => [
    [`Node ${node}`, node, ({ ratio, noisy }) => `${range(ratio, 2)}${noisy ? ', too noisy' : ''}`],
    ...(at > 0 && at === nodes.length - 1 ? [] : DETAILS.map(([head, cell]) => [head, node, cell])),
  ]);
  const names = new Map(rows.map(({ id, name }) => [id, name]));
  return table(
    ['CPU time of an unguarded request / a guarded one', ...columns.map(([head]) => head)],
    [...names].map(([id, name]) => [
      name,
      ...columns.map(([, node, cell]) => {
        const row = rows.find((each) => each.id === id && each.node === node);
        return row === undefined ? '' : cell(row);
      }),
    ]),
  );
}

const DETAILS = [
  ['µs added', ({ addedCpu, cpu }) => `${fixed(addedCpu.median, 1)} of ${fixed(cpu.median, 1)}`],
  ['p99 / unguarded', ({ p99Ratio }) => fixed(p99Ratio.median, 2)],
];

/** Shortens an error, which may have a stack, to fit a cell. Removes the paths of this machine. */
function firstLine(problem = 'no message') {
  const line = problem.split('\n').find((text) => /^\w*Error/.test(text)) ?? problem.split('\n')[0];
  return line
    .replaceAll(/\/\S+\//g, '')
    .replaceAll('|', '/')
    .slice(0, 160);
}
