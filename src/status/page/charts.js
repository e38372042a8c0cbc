import uPlot from './uPlot.esm.js';
import { clockText, numberText } from './format.js';

const WINDOW_S = 600;
const SHORTEST_WINDOW_S = 60;

/**
 * A chart and its table of readings. `series`: `{ field, label, colour, dashed? }`. `summary`: returns the value in the last
 * column of a series. `floor`: the smallest value for the upper end of the scale. While the pointer is over the chart, the table
 * shows the values at the pointer.
 */
export class Chart {
  #plot;
  #samples = [];
  #hovered;

  constructor(name, { series, summary, floor }) {
    this.series = series;
    this.summary = summary;
    this.floor = floor;
    this.place = document.getElementById(`${name}-chart`);
    this.table = document.getElementById(`${name}-readings`);
    this.heading = this.table.querySelector('[data-heading]');
    this.headingText = this.heading.textContent;
    this.cells = series.map((one) => this.#addRow(one));
    this.#draw();
    new ResizeObserver(() => this.#plot.setSize(this.#size())).observe(this.place);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#draw());
  }

  update(samples) {
    this.#samples = samples;
    this.#plot.setData(this.#data());
    this.#read();
  }

  #data() {
    const columns = this.series.map(({ field }) => this.#samples.map((sample) => sample[field]));
    return [this.#samples.map(({ at }) => at / 1_000), ...columns];
  }

  #size() {
    return { width: this.place.clientWidth, height: this.place.clientHeight };
  }

  #draw() {
    this.#plot?.destroy();
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const axis = {
      stroke: colour('--soft'),
      font: '12px system-ui, sans-serif',
      grid: { stroke: colour('--grid'), width: 1 },
      ticks: { show: false },
    };
    this.#plot = new uPlot(
      {
        ...this.#size(),
        padding: [8, 12, 0, 0],
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 } },
        scales: { x: { range: rangeOfTime }, y: { range: (_plot, _min, max) => [0, Math.max(max * 1.1, this.floor)] } },
        axes: [
          { ...axis, size: 28, space: 80, values: (_plot, ticks) => ticks.map((tick) => clockText(tick * 1_000)) },
          { ...axis, size: 44, space: 30, values: (_plot, ticks) => ticks.map(numberText) },
        ],
        series: [
          {},
          ...this.series.map(({ colour: name, dashed }) => ({
            stroke: colour(name),
            width: 1.75,
            ...(dashed && { dash: [5, 4] }),
            points: { size: 4, filter: lonePoints },
          })),
        ],
        hooks: {
          setCursor: [
            (plot) => {
              this.#hovered = plot.cursor.idx;
              this.#read();
            },
          ],
        },
      },
      this.#data(),
      this.place,
    );
  }

  #addRow({ label, colour, dashed }) {
    const row = this.table.tBodies[0].insertRow();
    const head = document.createElement('th');
    head.scope = 'row';
    const line = document.createElement('i');
    line.className = dashed ? 'line dashed' : 'line';
    line.style.borderColor = `var(${colour})`;
    head.append(line, label);
    const [value, summary] = [document.createElement('td'), document.createElement('td')];
    value.className = summary.className = 'number';
    row.append(head, value, summary);
    return { value, summary };
  }

  #read() {
    const hovered = this.#hovered === null ? undefined : this.#samples[this.#hovered];
    const shown = hovered ?? this.#samples.at(-1);
    this.heading.textContent = hovered === undefined ? this.headingText : clockText(hovered.at);
    for (const [i, { field }] of this.series.entries()) {
      this.cells[i].value.textContent = numberText(shown?.[field]);
      this.cells[i].summary.textContent = numberText(this.summary(this.#samples, field));
    }
  }
}

/** Indexes of the values without a neighbour, which a line does not show. */
function lonePoints(plot, seriesIndex) {
  const values = plot.data[seriesIndex];
  const isKnown = (index) => values[index] !== null && values[index] !== undefined;
  return values.flatMap((_value, index) =>
    isKnown(index) && !isKnown(index - 1) && !isKnown(index + 1) ? [index] : [],
  );
}

/** The last ten minutes, or less if the app has just started. */
function rangeOfTime(plot, min, max) {
  const to = max ?? Date.now() / 1_000;
  return [Math.max(to - WINDOW_S, Math.min(min ?? to, to - SHORTEST_WINDOW_S)), to];
}
