import { z } from 'zod';
import type { Agent as HttpAgent } from 'node:http';
import type { Agent as HttpsAgent } from 'node:https';
import type { Clock } from '../../core/clock.js';
import type { Credentials } from '../../core/credentials.js';
import type { Dialect } from '../../core/ports.js';
import { isScope } from '../../core/principal.js';
import type { Store } from '../../core/store.js';
import type { CredentialsExtractor } from '../../core/incoming-request.js';

const ms = z.int().min(0);
const duration = z.int().min(1);
const fraction = z.number().gt(0).lt(1);

/** Node fires a timer beyond this at once: see the `delay` parameter of `setTimeout` in the Node.js docs. */
const LONGEST_NODE_TIMER_MS = 2 ** 31 - 1;

const range = z.strictObject({ min: duration, max: duration }).refine(({ min, max }) => min <= max, 'min at most max');

const limit = z.strictObject({ attempts: z.int().min(1), windowMs: z.int().min(1_000).max(LONGEST_NODE_TIMER_MS) });

const instanceOf = <T extends object>(shape: string, ...methods: string[]) =>
  z.custom<T>(
    (value) =>
      typeof value === 'object' &&
      value !== null &&
      methods.every((method) => typeof (value as Record<string, unknown>)[method] === 'function'),
    shape,
  );

const dialect = z.custom<Dialect>((value) => {
  const { name, authenticate, api } = (value ?? {}) as Partial<Dialect>;
  const speaks =
    typeof authenticate === 'function' && typeof api?.encode === 'function' && typeof api.decode === 'function';
  return typeof name === 'string' && name !== '' && speaks;
}, 'a dialect with name, authenticate() and api');

/** RFC 9110 §5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const PRINTABLE = /^[\x20-\x7e]*$/;

/** `scheme` and `parameters` become a header. A bad value is rejected at boot, not with every 401. */
const extractor = instanceOf<CredentialsExtractor>('an extractor', 'extract').refine((value) => {
  const { scheme, parameters = {} }: { readonly scheme?: unknown; readonly parameters?: unknown } = value;
  if (typeof scheme !== 'string' || !TOKEN.test(scheme)) return false;
  if (typeof parameters !== 'object' || parameters === null) return false;
  return Object.entries(parameters).every(
    ([name, text]) => TOKEN.test(name) && typeof text === 'string' && PRINTABLE.test(text),
  );
}, 'an extractor whose `scheme` is a token (RFC 9110 §5.6.2) and whose `parameters`, if any, are printable ASCII by tokens');

const credentials = z.union(
  [
    z.strictObject({ username: z.string().min(1), secretKey: z.string().min(1) }),
    z.custom<() => Credentials | Promise<Credentials>>((value) => typeof value === 'function'),
  ],
  '{ username, secretKey }, both non-empty strings, or a function that returns them',
);

/** The schema of each option, with its default, in the order of `XPayAuthOptions`. */
export const optionsSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z][\w-]{0,63}$/, 'a letter, then letters, digits, "_" and "-"')
    .refine((name) => name !== 'default', 'any name but "default", which means the unnamed instance')
    .optional(),
  isGlobal: z.boolean().default(true),
  globalGuards: z.boolean().default(false),
  envPrefix: z.string().min(1).optional(),
  dialect: z
    .union(
      [z.enum(['xpay', 'gift-stream', 'password-login']), dialect],
      "'xpay', 'gift-stream', 'password-login' or a dialect",
    )
    .default('xpay'),
  baseUrl: z.string().optional(),
  credentials: credentials.optional(),
  scopeHierarchy: z
    .record(
      z.string().refine(isScope, 'scope names (RFC 6749 §3.3)'),
      z.array(z.string().refine(isScope, 'a scope name')),
    )
    .default({}),
  token: z
    .strictObject({
      refreshAt: z
        .tuple([fraction, fraction])
        .refine(([from, to]) => from <= to, 'two shares of the lifetime, the smaller one first')
        .default([0.65, 0.75]),
      hardMarginMs: ms.optional(),
      backoffMs: range.default({ min: 125, max: 30_000 }),
      rejectedRetryMs: range.default({ min: 1_000, max: 60_000 }),
      fallbackLifeMs: duration.default(300_000),
      deadlineMs: duration.default(10_000),
      warmUp: z.boolean().default(false),
    })
    .prefault({}),
  verification: z
    .strictObject({
      periodMs: duration.max(300_000).default(60_000),
      refusedPeriodMs: ms.max(300_000).default(5_000),
      maxEntries: z.int().min(1).max(10_000_000).default(10_000),
      maxConcurrent: z.int().min(1).default(64),
      maxQueued: z.int().min(0).default(10_000),
      queueTimeoutMs: duration.default(5_000),
      staleIfErrorMs: ms.default(0),
      share: z.boolean().default(false),
      extractors: z
        .array(
          z.union(
            [z.enum(['basic', 'bearer']), extractor],
            "'basic', 'bearer' or an object with `scheme` and `extract`",
          ),
        )
        .min(1)
        .default(['basic', 'bearer']),
      realm: z
        .string()
        .regex(/^[\x20-\x7e]+$/, 'printable ASCII')
        .default('xpay'),
      stripCredentials: z.boolean().default(false),
    })
    .prefault({}),
  session: z
    .strictObject({
      periodMs: duration.default(43_200_000),
      idleMs: duration.optional(),
      token: z.enum(['opaque', 'upstream']).default('opaque'),
      keepUpstreamToken: z.boolean().default(false),
      maxPerUser: z.int().min(1).max(100_000).default(100),
    })
    .prefault({}),
  attempts: z
    .union([
      z.literal(false),
      z.strictObject({
        perUserAndAddress: limit.default({ attempts: 10, windowMs: 900_000 }),
        perAddress: limit.default({ attempts: 100, windowMs: 3_600_000 }),
        perUser: limit.default({ attempts: 100, windowMs: 86_400_000 }),
      }),
    ])
    .prefault({}),
  http: z
    .strictObject({
      timeoutMs: duration.max(LONGEST_NODE_TIMER_MS).default(5_000),
      maxResponseBytes: z.int().min(1).default(1_048_576),
      allowInsecureHosts: z.array(z.string().regex(/^[^\s/:@]+$/, 'a host name, without scheme and port')).default([]),
      agent: z
        .strictObject({
          http: instanceOf<HttpAgent>('an http.Agent', 'addRequest').optional(),
          https: instanceOf<HttpsAgent>('an https.Agent', 'addRequest').optional(),
        })
        .optional(),
    })
    .prefault({}),
  undeclaredRoutes: z.enum(['allow', 'warn', 'deny']).default('allow'),
  store: instanceOf<Store>(
    'a store, such as redisStore(…)',
    'read',
    'write',
    'acquire',
    'readLog',
    'publish',
  ).optional(),
  clock: instanceOf<Clock>('{ now(), monotonic(), setTimer() }', 'now', 'monotonic', 'setTimer').optional(),
});
