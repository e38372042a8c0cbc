// Draws a soak as a chart, with one panel for each figure that must stay flat.
const WIDTH = 720;
const PANEL = 120;
const LEFT = 64;
const RIGHT = 16;
const TOP = 28;

const PANELS = [
  { key: 'heapMb', title: 'heap after a collection, MB' },
  { key: 'handles', title: 'handles' },
  { key: 'p99', title: 'p99, ms' },
];

/** Returns an SVG that is legible on light and dark pages. Samples have a `minute` and the keys of the panels. */
export function chart(samples) {
  const height = PANELS.length * (PANEL + TOP) + 28;
  const last = samples.at(-1).minute;
  const x = (minute) => LEFT + (minute / last) * (WIDTH - LEFT - RIGHT);
  const panels = PANELS.map(({ key, title }, at) => panel({ key, title, top: at * (PANEL + TOP) + TOP, samples, x }));
  const ticks = Array.from({ length: 11 }, (_, i) => (i * last) / 10).map(
    (minute) => `<text x="${fixed(x(minute))}" y="${height - 8}" text-anchor="middle">${rounded(minute)}</text>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="Heap, handles and p99 by minute">`,
    '<style>text{font:12px sans-serif;fill:#777}path{fill:none;stroke:#2a78d6;stroke-width:1.5}line{stroke:#999;stroke-width:.5}</style>',
    ...panels,
    ...ticks,
    `<text x="${WIDTH - RIGHT}" y="${height - 22}" text-anchor="end">minutes</text>`,
    '</svg>',
    '',
  ].join('\n');
}

function panel({ key, title, top, samples, x }) {
  const most = Math.max(...samples.map((sample) => sample[key])) * 1.1;
  const y = (value) => top + PANEL - (value / most) * PANEL;
  const points = samples.map((sample) => `${fixed(x(sample.minute))} ${fixed(y(sample[key]))}`);
  const rule = (value) =>
    `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${fixed(y(value))}" y2="${fixed(y(value))}"/>` +
    `<text x="${LEFT - 8}" y="${fixed(y(value) + 4)}" text-anchor="end">${rounded(value)}</text>`;
  return [
    `<text x="${LEFT}" y="${top - 6}">${title}</text>`,
    ...[0, most / 2, most].map(rule),
    `<path d="M${points.join('L')}"/>`,
  ].join('\n');
}

function rounded(value) {
  return String(value >= 10 || value === 0 ? Math.round(value) : Number(value.toPrecision(2)));
}

function fixed(value) {
  return value.toFixed(1);
}
