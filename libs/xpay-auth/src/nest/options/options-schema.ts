import type { Agent as HttpAgent } from 'node:http';
import type { Agent as HttpsAgent } from 'node:https';
import * as v from 'valibot';
import type { Clock } from '../../core/clock.js';
import type { Credentials } from '../../core/credentials.js';
import type { CredentialsExtractor } from '../../core/incoming-request.js';
import type { Dialect } from '../../core/ports.js';
import { isScope } from '../../core/principal.js';
import type { Store } from '../../core/store.js';
import type { HttpTransport } from '../../http/transport.js';

// Each message states the accepted values, because `explainIssue` adds it after the word "expected".

const atLeast = (min: number) => v.minValue<number, number, string>(min, `number to be >=${min}`);
const atMost = (max: number) => v.maxValue<number, number, string>(max, `number to be <=${max}`);
const integer = (min: number, max = Number.MAX_SAFE_INTEGER) =>
  v.pipe(v.number('number'), atLeast(min), atMost(max), v.integer('int'));
const ms = integer(0);
const duration = integer(1);
const fraction = v.pipe(v.number('number'), v.gtValue(0, 'number to be >0'), v.ltValue(1, 'number to be <1'));
const boolean = v.boolean('boolean');
const text = v.string('string');
const filledText = v.pipe(text, v.nonEmpty('string to have >=1 characters'));

/**
 * Longest delay of a timer in ms. Node fires a timer with a longer delay immediately; see the `delay` parameter of `setTimeout`
 * in the Node.js docs.
 */
const LONGEST_NODE_TIMER_MS = 2 ** 31 - 1;

const object = (expected: string) =>
  v.custom<Record<string, unknown>>((value) => Object.prototype.toString.call(value) === '[object Object]', expected);

/**
 * Returns the schema of an object with only these options. A missing option is checked as `undefined`, so that the message states
 * the accepted values of that option. Each unknown option is an issue of the type `never`.
 */
function group<const T extends v.ObjectEntries>(entries: T, expected = 'object') {
  const names = Object.keys(entries);
  const schema = v.pipe(
    object(expected),
    v.transform((given) => ({ ...given, ...Object.fromEntries(names.map((name) => [name, given[name]])) })),
    v.objectWithRest(entries, v.never()),
  );
  return schema as unknown as v.GenericSchema<unknown, v.InferOutput<v.ObjectSchema<T, undefined>>>;
}

const scope = (expected: string) =>
  v.pipe(
    text,
    v.check((name) => isScope(name), expected),
  );

const oneOf = <const T extends readonly string[]>(...values: T) =>
  v.picklist(values, `one of ${values.map((value) => `"${value}"`).join('|')}`);

const range = v.pipe(
  group({ min: duration, max: duration }),
  v.check(({ min, max }) => min <= max, 'min at most max'),
);

const limit = group({ attempts: integer(1), windowMs: integer(1_000, LONGEST_NODE_TIMER_MS) });

const instanceOf = <T extends object>(shape: string, ...methods: string[]) =>
  v.custom<T>(
    (value) =>
      typeof value === 'object' &&
      value !== null &&
      methods.every((method) => typeof (value as Record<string, unknown>)[method] === 'function'),
    shape,
  );

const dialect = v.custom<Dialect>((value) => {
  const { name, authenticate, api } = (value ?? {}) as Partial<Dialect>;
  const speaks =
    typeof authenticate === 'function' && typeof api?.encode === 'function' && typeof api.decode === 'function';
  return typeof name === 'string' && name !== '' && speaks;
}, 'a dialect with name, authenticate() and api');

/** A token of RFC 9110 §5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const PRINTABLE = /^[\x20-\x7e]*$/;

/**
 * An extractor. Its `scheme` and `parameters` become part of a response header, so an invalid value is rejected at boot and not
 * when the first 401 is sent.
 */
const extractor = v.pipe(
  instanceOf<CredentialsExtractor>('an extractor', 'extract'),
  v.check((value) => {
    const { scheme, parameters = {} }: { readonly scheme?: unknown; readonly parameters?: unknown } = value;
    if (typeof scheme !== 'string' || !TOKEN.test(scheme)) return false;
    if (typeof parameters !== 'object' || parameters === null) return false;
    return Object.entries(parameters).every(
      ([name, value]) => TOKEN.test(name) && typeof value === 'string' && PRINTABLE.test(value),
    );
  }, 'an extractor whose `scheme` is a token (RFC 9110 §5.6.2) and whose `parameters`, if any, are printable ASCII by tokens'),
);

const credentials = v.union(
  [
    group({ username: filledText, secretKey: filledText }),
    v.custom<() => Credentials | Promise<Credentials>>((value) => typeof value === 'function'),
  ],
  '{ username, secretKey }, both non-empty strings, or a function that returns them',
);

const SHARES = 'two shares of the lifetime, the smaller one first';

const limits = group(
  {
    perUserAndAddress: v.optional(limit, { attempts: 10, windowMs: 900_000 }),
    perAddress: v.optional(limit, { attempts: 100, windowMs: 3_600_000 }),
    perUser: v.optional(limit, { attempts: 100, windowMs: 86_400_000 }),
  },
  'false or object',
);

/** The schema of each option, with its default, in the order of `XPayAuthOptions`. */
export const optionsSchema = group({
  name: v.optional(
    v.pipe(
      text,
      v.regex(/^[A-Za-z][\w-]{0,63}$/, 'a letter, then letters, digits, "_" and "-"'),
      v.check((name) => name !== 'default', 'any name but "default", which means the unnamed instance'),
    ),
  ),
  isGlobal: v.optional(boolean, true),
  globalGuards: v.optional(boolean, false),
  envPrefix: v.optional(filledText),
  dialect: v.optional(
    v.union(
      [v.picklist(['xpay', 'gift-stream', 'password-login']), dialect],
      "'xpay', 'gift-stream', 'password-login' or a dialect",
    ),
    'xpay',
  ),
  baseUrl: v.optional(text),
  credentials: v.optional(credentials),
  accounts: v.optional(
    group({
      credentials: v.custom<(id: string) => Credentials | undefined | Promise<Credentials | undefined>>(
        (value) => typeof value === 'function',
        'a function that returns { username, secretKey } for an id',
      ),
      maxEntries: v.optional(integer(1, 1_000_000), 1_000),
    }),
  ),
  scopeHierarchy: v.optional(
    v.pipe(object('object'), v.record(scope('scope names (RFC 6749 §3.3)'), v.array(scope('a scope name'), 'array'))),
    {},
  ),
  token: v.optional(
    group({
      refreshAt: v.optional(
        v.pipe(
          v.strictTuple([fraction, fraction], SHARES),
          v.check(([from, to]) => from <= to, SHARES),
        ),
        [0.65, 0.75],
      ),
      hardMarginMs: v.optional(ms),
      backoffMs: v.optional(range, { min: 125, max: 30_000 }),
      rejectedRetryMs: v.optional(range, { min: 1_000, max: 60_000 }),
      fallbackLifeMs: v.optional(duration, 300_000),
      deadlineMs: v.optional(duration, 10_000),
      warmUp: v.optional(boolean, false),
    }),
    {},
  ),
  verification: v.optional(
    group({
      periodMs: v.optional(integer(1, 300_000), 60_000),
      refusedPeriodMs: v.optional(integer(0, 300_000), 5_000),
      maxEntries: v.optional(integer(1, 10_000_000), 10_000),
      maxConcurrent: v.optional(integer(1), 64),
      maxQueued: v.optional(integer(0), 10_000),
      queueTimeoutMs: v.optional(duration, 5_000),
      staleIfErrorMs: v.optional(ms, 0),
      share: v.optional(boolean, false),
      keepUpstreamToken: v.optional(boolean, false),
      cachePerConnection: v.optional(boolean, true),
      extractors: v.optional(
        v.pipe(
          v.array(
            v.union(
              [v.picklist(['basic', 'bearer']), extractor],
              "'basic', 'bearer' or an object with `scheme` and `extract`",
            ),
            'array',
          ),
          v.nonEmpty('array to have >=1 items'),
        ),
        ['basic', 'bearer'],
      ),
      realm: v.optional(v.pipe(text, v.regex(/^[\x20-\x7e]+$/, 'printable ASCII')), 'xpay'),
      stripCredentials: v.optional(boolean, false),
    }),
    {},
  ),
  session: v.optional(
    group({
      periodMs: v.optional(duration, 43_200_000),
      idleMs: v.optional(duration),
      token: v.optional(oneOf('opaque', 'upstream'), 'opaque'),
      keepUpstreamToken: v.optional(boolean, false),
      maxPerUser: v.optional(integer(1, 100_000), 100),
    }),
    {},
  ),
  attempts: v.optional(
    v.lazy((value) => (value === false ? v.literal(false) : limits)),
    {},
  ),
  http: v.optional(
    group({
      timeoutMs: v.optional(integer(1, LONGEST_NODE_TIMER_MS), 5_000),
      maxResponseBytes: v.optional(integer(1), 1_048_576),
      allowInsecureHosts: v.optional(
        v.array(v.pipe(text, v.regex(/^[^\s/:@]+$/, 'a host name, without scheme and port')), 'array'),
        [],
      ),
      agent: v.optional(
        group({
          http: v.optional(instanceOf<HttpAgent>('an http.Agent', 'addRequest')),
          https: v.optional(instanceOf<HttpsAgent>('an https.Agent', 'addRequest')),
        }),
      ),
      transport: v.optional(instanceOf<HttpTransport>('a transport, such as undiciTransport()', 'open')),
    }),
    {},
  ),
  undeclaredRoutes: v.optional(oneOf('allow', 'warn', 'deny'), 'allow'),
  store: v.optional(
    instanceOf<Store>('a store, such as redisStore(…)', 'read', 'write', 'acquire', 'readLog', 'publish'),
  ),
  clock: v.optional(instanceOf<Clock>('{ now(), monotonic(), setTimer() }', 'now', 'monotonic', 'setTimer')),
});
