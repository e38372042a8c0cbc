import type { Histogram, Meter, MetricOptions, Observable } from '@opentelemetry/api';
import { FAILURES, type XPayAuthErrorCode } from '../../core/errors.js';
import { STORE_OPERATIONS } from '../../core/instrumentation.js';

/** A counter that is observed at collection. */
export interface CounterMetric extends MetricOptions {
  /** The attributes beside `xpay_auth.instance`. @default none */
  readonly by?: readonly string[];
  /**
   * The values of the attributes in `by`, separated by a space if there are several attributes. The counter is reported as 0
   * for each value from the start, so that a query detects the first increment.
   */
  readonly values?: readonly string[];
  /** Reported only by instances with an app account or the option `accounts`, or with a shared store. @default by all instances */
  readonly onlyWith?: 'account' | 'store';
}

const CODES = Object.keys(FAILURES) as XPayAuthErrorCode[];
/** The failures of a caller's verification. */
const INBOUND = CODES.filter(
  (code) => code !== 'insufficient_scope' && code !== 'credentials_rejected' && code !== 'unknown_account',
);
/** The failures of a renewal of the app's token. */
const OUTBOUND = CODES.filter((code) => FAILURES[code].trouble !== 'caller');

/** The boundaries in OpenTelemetry's conventions for the duration of HTTP requests. */
const SECONDS = {
  explicitBucketBoundaries: [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
};
/** The lifetime of a token is between seconds and years, and a token is renewed after about 70 % of its lifetime. */
const LEADS = {
  explicitBucketBoundaries: [
    0, 1, 5, 15, 60, 300, 900, 3_600, 21_600, 86_400, 604_800, 2_592_000, 15_552_000, 31_536_000,
  ],
};

/** All counters. docs/observability.md lists all metrics in a table. */
export const COUNTERS = {
  'xpay_auth.requests': {
    unit: '{request}',
    description: 'Requests by the result of authentication',
    by: ['xpay_auth.outcome'],
    values: ['admitted', ...INBOUND],
  },
  'xpay_auth.denials': {
    unit: '{request}',
    description: 'Requests of authenticated callers that lacked a scope',
  },
  'xpay_auth.logins': {
    unit: '{login}',
    description: 'Login attempts',
    by: ['xpay_auth.outcome'],
    values: ['ok', ...INBOUND],
  },
  'xpay_auth.attempts.refused': {
    unit: '{attempt}',
    description: 'Attempts that were rejected without calling the upstream, after too many failures',
    by: ['xpay_auth.limit'],
    values: ['perUserAndAddress', 'perAddress', 'perUser'],
  },
  'xpay_auth.cache.hits': {
    unit: '{hit}',
    description: 'Requests that were authenticated without calling the upstream',
    by: ['xpay_auth.cache', 'xpay_auth.cache.level'],
    values: ['credentials memory', 'credentials shared', 'credentials stale', 'session memory', 'session shared'],
  },
  'xpay_auth.flights.joined': {
    unit: '{caller}',
    description: 'Callers that shared a request already in flight',
    by: ['xpay_auth.flight'],
    values: ['token', 'verification', 'session'],
  },
  'xpay_auth.token.renewals': {
    unit: '{attempt}',
    description: "Attempts to obtain or renew the app's token",
    by: ['xpay_auth.outcome'],
    values: ['obtained', 'refreshed', 'adopted', ...OUTBOUND],
    onlyWith: 'account',
  },
  'xpay_auth.token.rejections': {
    unit: '{token}',
    description: 'Tokens that the upstream rejected before their expiry',
    onlyWith: 'account',
  },
  'xpay_auth.token.expirations': {
    unit: '{token}',
    description: 'Tokens that expired while their renewal failed',
    onlyWith: 'account',
  },
  'xpay_auth.store.errors': {
    unit: '{error}',
    description: 'Calls to the shared store that failed, or were not made while it was unavailable',
    by: ['xpay_auth.store.operation'],
    values: STORE_OPERATIONS,
    onlyWith: 'store',
  },
  'xpay_auth.store.unreadable': {
    unit: '{value}',
    description: 'Unreadable values in the shared store: edited, moved, replayed, or sealed with another key',
    onlyWith: 'store',
  },
} satisfies Record<string, CounterMetric>;

/** All gauges. */
const GAUGES = {
  'xpay_auth.verification.waiting': {
    unit: '{check}',
    description: 'Checks of callers that wait for a place at the upstream',
  },
  'xpay_auth.token.validity': {
    unit: 's',
    description: "How long the app's current token may still be used; 0 without one",
  },
  'xpay_auth.token.failures': {
    unit: '{attempt}',
    description: "Consecutive failed attempts to renew the app's token",
  },
  'xpay_auth.store.available': {
    unit: '{store}',
    description: 'Whether the shared store is reachable: 1, or 0 while this instance works without it',
  },
} satisfies Record<string, MetricOptions>;

/** All histograms. */
export const HISTOGRAMS = {
  'xpay_auth.verification.duration': {
    unit: 's',
    description: 'How long the verification of callers took that were not cached in memory',
    advice: SECONDS,
  },
  'xpay_auth.upstream.duration': {
    unit: 's',
    description: 'How long one call to the upstream took, until its answer was decoded',
    advice: SECONDS,
  },
  'xpay_auth.token.renewal.lead_time': {
    unit: 's',
    description: 'How long the replaced token could still have been used when its successor arrived',
    advice: LEADS,
  },
} satisfies Record<string, MetricOptions>;

/** A metric that is read at collection. */
export type ObservedName = keyof typeof COUNTERS | keyof typeof GAUGES;

/** The instruments of all instances, created once from one meter. */
export type Instruments = ReturnType<typeof createInstruments>;

/** Creates the instruments, by the names of their metrics. */
export function createInstruments(meter: Meter) {
  return {
    meter,
    histograms: created<Histogram>(HISTOGRAMS, (name, options) => meter.createHistogram(name, options)),
    observables: new Map([
      ...created<Observable>(COUNTERS, (name, options) => meter.createObservableCounter(name, options)),
      ...created<Observable>(GAUGES, (name, options) => meter.createObservableGauge(name, options)),
    ]),
  };
}

function created<I>(
  metrics: Readonly<Record<string, MetricOptions>>,
  create: (name: string, options: MetricOptions) => I,
): Map<string, I> {
  return new Map(Object.entries(metrics).map(([name, options]) => [name, create(name, options)]));
}
