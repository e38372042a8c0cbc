import { ATTRIBUTES } from './attributes.js';

/** What an instrument measures, before there is a meter to make it with. */
export interface Metric {
  readonly kind: 'counter' | 'gauge' | 'histogram';
  readonly name: string;
  /** In UCUM, as OpenTelemetry asks for. */
  readonly unit: string;
  readonly description: string;
  /** Beside `xpay_auth.instance`, which all of them have. */
  readonly attributes: readonly (keyof typeof ATTRIBUTES)[];
  /** Of a histogram: bounds that suit it, as advice to the SDK. */
  readonly buckets?: readonly number[];
}

/** The bounds that OpenTelemetry's conventions have for durations of HTTP requests. */
const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
/** Tokens live from seconds to years, and are renewed after about 70 % of that. */
const LEADS = [0, 1, 5, 15, 60, 300, 900, 3_600, 21_600, 86_400, 604_800, 2_592_000, 15_552_000, 31_536_000];

/** Every metric of this library. docs/observability.md has them in a table. */
export const METRICS = {
  requests: {
    kind: 'counter',
    name: 'xpay_auth.requests',
    unit: '{request}',
    description: 'Requests whose caller was let in or refused',
    attributes: ['outcome'],
  },
  denials: {
    kind: 'counter',
    name: 'xpay_auth.denials',
    unit: '{request}',
    description: 'Requests of known callers who lacked a scope',
    attributes: [],
  },
  logins: {
    kind: 'counter',
    name: 'xpay_auth.logins',
    unit: '{login}',
    description: 'Logins that were tried',
    attributes: ['outcome'],
  },
  attemptsRefused: {
    kind: 'counter',
    name: 'xpay_auth.attempts.refused',
    unit: '{attempt}',
    description: 'Attempts that were refused unasked, because too many had failed',
    attributes: ['limit'],
  },
  cacheHits: {
    kind: 'counter',
    name: 'xpay_auth.cache.hits',
    unit: '{hit}',
    description: 'Callers who were known without a question to the upstream',
    attributes: ['cache', 'level'],
  },
  joined: {
    kind: 'counter',
    name: 'xpay_auth.flights.joined',
    unit: '{caller}',
    description: 'Callers who shared what somebody was asking already',
    attributes: ['flight'],
  },
  verification: {
    kind: 'histogram',
    name: 'xpay_auth.verification.duration',
    unit: 's',
    description: 'How long callers waited whom memory did not know',
    attributes: ['outcome'],
    buckets: SECONDS,
  },
  upstream: {
    kind: 'histogram',
    name: 'xpay_auth.upstream.duration',
    unit: 's',
    description: 'How long the upstream took for one question, until its answer was understood',
    attributes: ['dialect', 'operation', 'purpose', 'outcome'],
    buckets: SECONDS,
  },
  renewals: {
    kind: 'counter',
    name: 'xpay_auth.token.renewals',
    unit: '{attempt}',
    description: "Attempts to get or renew the app's own token",
    attributes: ['outcome'],
  },
  lead: {
    kind: 'histogram',
    name: 'xpay_auth.token.renewal.lead_time',
    unit: 's',
    description: 'How long a token could still have been handed out when the next one was there',
    attributes: [],
    buckets: LEADS,
  },
  rejections: {
    kind: 'counter',
    name: 'xpay_auth.token.rejections',
    unit: '{token}',
    description: 'Tokens that the upstream did not accept before their time',
    attributes: [],
  },
  expirations: {
    kind: 'counter',
    name: 'xpay_auth.token.expirations',
    unit: '{token}',
    description: 'Tokens that ran out while their renewal failed',
    attributes: [],
  },
  validity: {
    kind: 'gauge',
    name: 'xpay_auth.token.validity',
    unit: 's',
    description: 'How long the token at hand may still be handed out; 0 without one',
    attributes: [],
  },
  failures: {
    kind: 'gauge',
    name: 'xpay_auth.token.failures',
    unit: '{attempt}',
    description: 'Attempts to renew the token that failed in a row',
    attributes: [],
  },
  storeAvailable: {
    kind: 'gauge',
    name: 'xpay_auth.store.available',
    unit: '{store}',
    description: 'Whether the shared store can be reached: 1, or 0 while this instance goes on alone',
    attributes: [],
  },
  storeErrors: {
    kind: 'counter',
    name: 'xpay_auth.store.errors',
    unit: '{error}',
    description: 'Calls to the shared store that failed, those it was not asked for while it is away included',
    attributes: ['storeOperation'],
  },
  storeUnreadable: {
    kind: 'counter',
    name: 'xpay_auth.store.unreadable',
    unit: '{value}',
    description:
      'Values of the shared store that could not be read: edited, moved, replayed, or sealed with another key',
    attributes: [],
  },
} as const satisfies Record<string, Metric>;
