import { FAILURES, type XPayAuthErrorCode } from '../../core/errors.js';
import { STORE_OPERATIONS } from '../../core/instrumentation.js';
import type { AttributeName } from './attributes.js';

/** The definition of an instrument. */
export interface Metric {
  readonly name: string;
  /** In UCUM, as OpenTelemetry requires. */
  readonly unit: string;
  readonly description: string;
}

/** A counter that is observed at collection. */
export interface CounterMetric extends Metric {
  /** The attributes beside `xpay_auth.instance`. @default none */
  readonly by?: readonly AttributeName[];
  /**
   * Their values, several separated by a space. Each is reported from the start, as 0, so that a query sees the first increment.
   */
  readonly values?: readonly string[];
  /** Reported only by instances with an account, or with a shared store. @default by all instances */
  readonly onlyWith?: 'account' | 'store';
}

/** A histogram. */
export interface HistogramMetric extends Metric {
  /** Bucket boundaries, as advice to the SDK. */
  readonly buckets: number[];
}

const CODES = Object.keys(FAILURES) as XPayAuthErrorCode[];
/** The failures of a caller's verification. */
const INBOUND = CODES.filter((code) => code !== 'insufficient_scope' && code !== 'credentials_rejected');
/** The failures of a renewal of the app's token. */
const OUTBOUND = CODES.filter((code) => FAILURES[code].trouble !== 'caller');

/** The boundaries in OpenTelemetry's conventions for the duration of HTTP requests. */
const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
/** Tokens live from seconds to years, and are renewed after about 70 % of that. */
const LEADS = [0, 1, 5, 15, 60, 300, 900, 3_600, 21_600, 86_400, 604_800, 2_592_000, 15_552_000, 31_536_000];

/** All counters. docs/observability.md lists all metrics in a table. */
export const COUNTERS = {
  requests: {
    name: 'xpay_auth.requests',
    unit: '{request}',
    description: 'Requests by the result of authentication',
    by: ['outcome'],
    values: ['admitted', ...INBOUND],
  },
  denials: {
    name: 'xpay_auth.denials',
    unit: '{request}',
    description: 'Requests of authenticated callers that lacked a scope',
  },
  logins: {
    name: 'xpay_auth.logins',
    unit: '{login}',
    description: 'Login attempts',
    by: ['outcome'],
    values: ['ok', ...INBOUND],
  },
  attemptsRefused: {
    name: 'xpay_auth.attempts.refused',
    unit: '{attempt}',
    description: 'Attempts that were rejected without calling the upstream, after too many failures',
    by: ['limit'],
    values: ['perUserAndAddress', 'perAddress', 'perUser'],
  },
  cacheHits: {
    name: 'xpay_auth.cache.hits',
    unit: '{hit}',
    description: 'Requests that were authenticated without calling the upstream',
    by: ['cache', 'level'],
    values: ['credentials memory', 'credentials shared', 'credentials stale', 'session memory', 'session shared'],
  },
  joined: {
    name: 'xpay_auth.flights.joined',
    unit: '{caller}',
    description: 'Callers that shared a request already in flight',
    by: ['flight'],
    values: ['token', 'verification', 'session'],
  },
  renewals: {
    name: 'xpay_auth.token.renewals',
    unit: '{attempt}',
    description: "Attempts to obtain or renew the app's token",
    by: ['outcome'],
    values: ['obtained', 'refreshed', 'adopted', ...OUTBOUND],
    onlyWith: 'account',
  },
  rejections: {
    name: 'xpay_auth.token.rejections',
    unit: '{token}',
    description: 'Tokens that the upstream rejected before their expiry',
    onlyWith: 'account',
  },
  expirations: {
    name: 'xpay_auth.token.expirations',
    unit: '{token}',
    description: 'Tokens that expired while their renewal failed',
    onlyWith: 'account',
  },
  storeErrors: {
    name: 'xpay_auth.store.errors',
    unit: '{error}',
    description: 'Calls to the shared store that failed, or were not made while it was unavailable',
    by: ['storeOperation'],
    values: STORE_OPERATIONS,
    onlyWith: 'store',
  },
  storeUnreadable: {
    name: 'xpay_auth.store.unreadable',
    unit: '{value}',
    description: 'Unreadable values in the shared store: edited, moved, replayed, or sealed with another key',
    onlyWith: 'store',
  },
} satisfies Record<string, CounterMetric>;

/** All gauges. */
export const GAUGES = {
  waiting: {
    name: 'xpay_auth.verification.waiting',
    unit: '{check}',
    description: 'Checks of callers that wait for a place at the upstream',
  },
  validity: {
    name: 'xpay_auth.token.validity',
    unit: 's',
    description: "How long the app's current token may still be used; 0 without one",
  },
  failures: {
    name: 'xpay_auth.token.failures',
    unit: '{attempt}',
    description: "Consecutive failed attempts to renew the app's token",
  },
  storeAvailable: {
    name: 'xpay_auth.store.available',
    unit: '{store}',
    description: 'Whether the shared store is reachable: 1, or 0 while this instance works without it',
  },
} satisfies Record<string, Metric>;

/** All histograms. */
export const HISTOGRAMS = {
  verification: {
    name: 'xpay_auth.verification.duration',
    unit: 's',
    description: 'How long the verification of callers took that were not cached in memory',
    buckets: SECONDS,
  },
  upstream: {
    name: 'xpay_auth.upstream.duration',
    unit: 's',
    description: 'How long one call to the upstream took, until its answer was decoded',
    buckets: SECONDS,
  },
  lead: {
    name: 'xpay_auth.token.renewal.lead_time',
    unit: 's',
    description: 'How long the replaced token could still have been used when its successor arrived',
    buckets: LEADS,
  },
} satisfies Record<string, HistogramMetric>;
