import type { Attributes, Histogram, Meter, Observable } from '@opentelemetry/api';
import { METRICS, type Metric } from './metrics.js';

export type MetricName = keyof typeof METRICS;

/** Reports one value of a metric that is read when somebody collects. */
export type Observe = (metric: MetricName, value: number, attributes: Attributes) => void;

/** The instruments of all instances, made once from one meter. */
export class Instruments {
  readonly #histograms = new Map<MetricName, Histogram>();
  readonly #observables = new Map<MetricName, Observable>();

  constructor(private readonly meter: Meter) {
    for (const [key, metric] of Object.entries(METRICS) as [MetricName, Metric][]) {
      const { kind, name, unit, description, buckets } = metric;
      if (kind === 'histogram') {
        const advice = { explicitBucketBoundaries: [...(buckets ?? [])] };
        this.#histograms.set(key, meter.createHistogram(name, { unit, description, advice }));
      } else if (kind === 'counter') {
        this.#observables.set(key, meter.createObservableCounter(name, { unit, description }));
      } else {
        this.#observables.set(key, meter.createObservableGauge(name, { unit, description }));
      }
    }
  }

  record(metric: MetricName, value: number, attributes: Attributes): void {
    this.#histograms.get(metric)?.record(value, attributes);
  }

  /** Asks whenever somebody collects. Returns what ends it. */
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
