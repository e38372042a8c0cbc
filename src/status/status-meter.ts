import { AggregationTemporality, type DataPoint, type Histogram, MetricReader } from '@opentelemetry/sdk-metrics';

/** One second of the app. Counts are per second. */
export interface Sample {
  /** End of the second in ms since the epoch. */
  readonly at: number;
  /** Callers who were authenticated from a cache. */
  readonly fromCache: number;
  /** Callers who were authenticated after a check at the upstream, and logins. */
  readonly fromUpstream: number;
  /** Callers who received a 400 or 401. */
  readonly rejected: number;
  /** Callers who received a 429. */
  readonly limited: number;
  /** Callers who could be neither authenticated nor rejected, and received a 5xx. */
  readonly undecided: number;
  /** Checks that wait for a place at the upstream, at the end of the second. */
  readonly waiting: number;
  /** Requests to the upstream that ended: checks of callers, and requests of the app account. */
  readonly calls: number;
  /** Number of `calls` that failed: the upstream sent no answer, an unreadable answer, a 429 or a 5xx. */
  readonly failures: number;
  /** Mean duration of `calls` in ms; `null` without a call. */
  readonly meanMs: number | null;
  /** Longest duration of `calls` in ms; `null` without a call. */
  readonly maxMs: number | null;
}

const ACCEPTED = new Set(['admitted', 'ok']);
const LIMITED = 'too_many_attempts';
const REJECTED = new Set(['missing_credentials', 'invalid_credentials', 'invalid_token', 'invalid_request']);
const FAILED = new Set(['upstream_unavailable', 'upstream_rate_limited', 'upstream_timeout', 'upstream_malformed']);

/** Reads the metrics of `XPayTelemetryModule` in this process. Register it with the `MeterProvider` that the module uses. */
export class StatusMeter extends MetricReader {
  #readAt = Date.now();

  constructor() {
    super({ aggregationTemporalitySelector: () => AggregationTemporality.DELTA });
  }

  /** Returns the sample of the time since the last call. */
  async read(): Promise<Sample> {
    const { resourceMetrics } = await this.collect();
    const metrics = resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics);
    const pointsOf = <T>(name: string): readonly DataPoint<T>[] =>
      metrics.flatMap(({ descriptor, dataPoints }) =>
        descriptor.name === name ? (dataPoints as unknown as DataPoint<T>[]) : [],
      );
    const at = Date.now();
    const perSecond = perSecondOf(at - this.#readAt);
    this.#readAt = at;
    const callers = callersOf(
      [...pointsOf<number>('xpay_auth.requests'), ...pointsOf<number>('xpay_auth.logins')],
      sum(pointsOf<number>('xpay_auth.cache.hits').map(({ value }) => value)),
    );
    const { meanMs, maxMs, calls, failures } = upstreamOf(pointsOf<Histogram>('xpay_auth.upstream.duration'));
    return {
      at,
      fromCache: perSecond(callers.fromCache),
      fromUpstream: perSecond(callers.fromUpstream),
      rejected: perSecond(callers.rejected),
      limited: perSecond(callers.limited),
      undecided: perSecond(callers.undecided),
      waiting: sum(pointsOf<number>('xpay_auth.verification.waiting').map(({ value }) => value)),
      calls: perSecond(calls),
      failures: perSecond(failures),
      meanMs,
      maxMs,
    };
  }

  protected onForceFlush(): Promise<void> {
    return Promise.resolve();
  }

  protected onShutdown(): Promise<void> {
    return Promise.resolve();
  }
}

/** Returns a function that converts a count into a rate. The elapsed time is longer than a second if the process is busy. */
function perSecondOf(elapsedMs: number): (count: number) => number {
  const seconds = Math.max(elapsedMs, 1) / 1_000;
  // A timer is some ms early or late. Within 10 % of a second, counts stay whole numbers.
  return (count) => (Math.abs(seconds - 1) < 0.1 ? count : Math.round((count / seconds) * 10) / 10);
}

function callersOf(points: readonly DataPoint<number>[], fromCache: number) {
  const count = (accepts: (outcome: string) => boolean): number =>
    sum(points.map(({ attributes, value }) => (accepts(String(attributes['xpay_auth.outcome'])) ? value : 0)));
  return {
    fromCache,
    // For a caller from the shared cache, the hit is counted before the accepted request, so a
    // sample may contain only the hit.
    fromUpstream: Math.max(0, count((outcome) => ACCEPTED.has(outcome)) - fromCache),
    rejected: count((outcome) => REJECTED.has(outcome)),
    limited: count((outcome) => outcome === LIMITED),
    undecided: count((outcome) => !ACCEPTED.has(outcome) && outcome !== LIMITED && !REJECTED.has(outcome)),
  };
}

function upstreamOf(points: readonly DataPoint<Histogram>[]) {
  const calls = sum(points.map(({ value }) => value.count));
  const failed = points.filter(({ attributes }) => FAILED.has(String(attributes['xpay_auth.outcome'])));
  const totalMs = sum(points.map(({ value }) => value.sum ?? 0)) * 1_000;
  const maxMs = Math.max(...points.map(({ value }) => value.max ?? 0)) * 1_000;
  return {
    calls,
    failures: sum(failed.map(({ value }) => value.count)),
    meanMs: calls === 0 ? null : Math.round((totalMs / calls) * 10) / 10,
    maxMs: calls === 0 ? null : Math.round(maxMs * 10) / 10,
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
