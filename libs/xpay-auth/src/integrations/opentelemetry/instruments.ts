import type { Attributes, Histogram, Meter, Observable } from '@opentelemetry/api';
import { COUNTERS, GAUGES, HISTOGRAMS } from './metrics.js';

type HistogramName = keyof typeof HISTOGRAMS;
type ObservedName = keyof typeof COUNTERS | keyof typeof GAUGES;

/** Reports one value at collection. */
export type Observe = (metric: ObservedName, value: number, attributes: Attributes) => void;

/** The instruments of all instances, created once from one meter. */
export class Instruments {
  readonly #histograms: ReadonlyMap<string, Histogram>;
  readonly #observables: ReadonlyMap<string, Observable>;

  constructor(private readonly meter: Meter) {
    this.#histograms = created(HISTOGRAMS, ({ name, unit, description, buckets }) =>
      meter.createHistogram(name, { unit, description, advice: { explicitBucketBoundaries: buckets } }),
    );
    this.#observables = new Map([
      ...created(COUNTERS, ({ name, unit, description }) => meter.createObservableCounter(name, { unit, description })),
      ...created(GAUGES, ({ name, unit, description }) => meter.createObservableGauge(name, { unit, description })),
    ]);
  }

  record(metric: HistogramName, value: number, attributes: Attributes): void {
    this.#histograms.get(metric)?.record(value, attributes);
  }

  /** Calls `read` at every collection. Returns a function that ends it. */
  onCollect(read: (observe: Observe) => void): () => void {
    const observables = [...this.#observables.values()];
    const callback: Parameters<Meter['addBatchObservableCallback']>[0] = (result) => {
      read((metric, value, attributes) => {
        const instrument = this.#observables.get(metric);
        if (instrument !== undefined) result.observe(instrument, value, attributes);
      });
    };
    this.meter.addBatchObservableCallback(callback, observables);
    return () => this.meter.removeBatchObservableCallback(callback, observables);
  }
}

function created<M, I>(metrics: Readonly<Record<string, M>>, create: (metric: M) => I): Map<string, I> {
  return new Map(Object.entries(metrics).map(([key, metric]) => [key, create(metric)]));
}
