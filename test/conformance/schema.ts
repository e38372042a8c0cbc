import { z } from 'zod';

// The format of the cases, explained in README.md. Everything is strict: a misspelt expectation would otherwise hold always.

const ms = z.int();
const count = z.int().min(0);
const label = z.string().regex(/^[A-Z]\w*$/, 'a label begins with a capital');
/** A number, or the smallest and the largest that will do. */
const range = z.union([z.number(), z.tuple([z.number(), z.number()])]);

const ANSWERS = [
  'grants',
  'refuses',
  'businessError',
  'unavailable',
  'rateLimited',
  'badGateway',
  'reset',
  'hangs',
  'empty',
  'notJson',
  'tooLong',
  'redirects',
  'noToken',
  'unauthorized',
] as const;

/** What the upstream answers to one request. */
const answer = z.union([
  z.enum(ANSWERS),
  z.strictObject({
    answer: z.enum(ANSWERS),
    afterMs: ms.optional(),
    retryAfter: z.union([z.number(), z.string()]).optional(),
    /** With `grants`: an expiry of its own; a number of ms from now, or this very value. */
    expiresInMs: ms.optional(),
    expiresAt: z.union([z.string(), z.number(), z.null()]).optional(),
    omit: z.enum(['expiresAt', 'scopes']).optional(),
  }),
]);

const account = z.strictObject({ secretKey: z.string(), scopes: z.array(z.string()).optional() });

/** How the upstream is from now on; what is left out stays as it was. */
const upstream = z.strictObject({
  lifeMs: ms.optional(),
  clockSkewMs: ms.optional(),
  dateHeader: z.boolean().optional(),
  equalTokensWithinASecond: z.boolean().optional(),
  oneTokenPerAccount: z.boolean().optional(),
  badBearer: z.enum(['200-error', '401-json', '401-empty']).optional(),
  /** Added, or put in the place of one of the same name. `null`: removed. */
  accounts: z.record(z.string(), account.nullable()).optional(),
  revokesTokens: z.boolean().optional(),
  down: z.boolean().optional(),
  /** To the next logins, one each, before `always`. */
  next: z.array(answer).optional(),
  /** To every login, until `clear`. */
  always: answer.optional(),
  /** To the next calls of the API, one each. */
  nextCalls: z.array(answer).optional(),
  clear: z.boolean().optional(),
});

const advance = z.strictObject({ do: z.literal('advance'), ms });
const stepWall = z.strictObject({ do: z.literal('stepWall'), ms });
const changes = upstream.extend({ do: z.literal('upstream') });
/** So far: waits until as many events have been told, then all of it has to be exactly so. */
const tally = z.strictObject({
  logins: count.optional(),
  calls: count.optional(),
  events: z.array(z.string()).optional(),
});
const expectStep = tally.extend({ do: z.literal('expect') });
const ending = z.strictObject({ logins: count, calls: count.optional(), events: z.array(z.string()) });

const base = {
  name: z.string().min(10),
  /** The rows of the behaviours that the case states. */
  rows: z.array(z.string().regex(/^[OIBCDES]\d+$/)).min(1),
  expect: ending,
};

/** What one caller for a token gets. Tokens go by labels: one label, one token; two labels, two tokens. */
const tokenOutcome = z.union([
  z.strictObject({ token: label }),
  z.strictObject({ none: z.literal(true) }),
  z.strictObject({ data: z.literal(true) }),
  z.strictObject({ left: z.literal(true) }),
  z.strictObject({ error: z.string(), retryAfterMs: range.optional() }),
]);
const TOKEN_CALLS = ['getToken', 'refresh', 'call'] as const;
const tokenCall = {
  what: z.enum(TOKEN_CALLS).default('getToken'),
  callers: z.int().min(1).default(1),
  path: z.string().optional(),
};
const tokenStatus = z.strictObject({
  state: z.enum(['none', 'fresh', 'stale', 'expired']).optional(),
  failures: count.optional(),
  lastError: z.string().nullable().optional(),
  usableForMs: ms.optional(),
  nextRefreshInMs: ms.nullable().optional(),
  clockSkewMs: ms.optional(),
});

const tokenStep = z.discriminatedUnion('do', [
  z.strictObject({ do: z.literal('ask'), ...tokenCall, inTurn: z.boolean().optional(), expect: tokenOutcome }),
  z.strictObject({
    do: z.literal('begin'),
    as: label,
    ...tokenCall,
    logins: count.optional(),
    calls: count.optional(),
  }),
  z.strictObject({ do: z.literal('end'), of: label, expect: tokenOutcome }),
  z.strictObject({ do: z.literal('leave'), who: label }),
  z.strictObject({ do: z.literal('peek'), expect: tokenOutcome }),
  z.strictObject({ do: z.literal('status'), expect: tokenStatus }),
  z.strictObject({ do: z.literal('invalidate'), token: label }),
  z.strictObject({ do: z.literal('credentials'), secretKey: z.string() }),
  z.strictObject({ do: z.literal('shutDown') }),
  advance,
  stepWall,
  changes,
  expectStep,
]);

export const tokenCases = z.strictObject({
  $schema: z.string().optional(),
  cases: z.array(
    z.strictObject({
      ...base,
      given: z
        .strictObject({ upstream: upstream.optional(), token: z.record(z.string(), z.json()).optional() })
        .optional(),
      steps: z.array(tokenStep).min(1),
    }),
  ),
});

/** What a caller of a route, or of the login, is answered. What is left out may be anything. */
const httpOutcome = z.strictObject({
  status: z.int(),
  errorCode: z.string().optional(),
  username: z.string().optional(),
  scopes: z.array(z.string()).optional(),
  /** All `WWW-Authenticate` lines. */
  challenge: z.array(z.string()).optional(),
  /** Seconds; `null`: there is none. */
  retryAfter: range.nullable().optional(),
  /** With a login: the name of the session that it brings, and how long it lives. */
  session: label.optional(),
  livesMs: ms.optional(),
});

/** What the `Authorization` lines say. */
const presented = z.union([
  z.strictObject({ basic: z.tuple([z.string(), z.string()]) }),
  /** A session's token, by its label. */
  z.strictObject({ session: label }),
  /** These very lines, in Latin-1. */
  z.strictObject({ authorization: z.array(z.string()) }),
]);
const request = {
  path: z.string().default('/me'),
  presents: presented.optional(),
  /** `POST /login` with these as JSON instead. */
  login: z.tuple([z.string(), z.string()]).optional(),
  headers: z.array(z.string()).default([]),
  callers: z.int().min(1).default(1),
};

const verificationStep = z.discriminatedUnion('do', [
  z.strictObject({ do: z.literal('request'), ...request, inTurn: z.boolean().optional(), expect: httpOutcome }),
  z.strictObject({ do: z.literal('begin'), as: label, ...request, logins: count.optional() }),
  z.strictObject({ do: z.literal('end'), of: label, expect: httpOutcome }),
  z.strictObject({ do: z.literal('logout'), session: label }),
  z.strictObject({ do: z.literal('revokeUser'), username: z.string() }),
  z.strictObject({ do: z.literal('revokeAll') }),
  advance,
  stepWall,
  changes,
  expectStep,
]);

export const verificationCases = z.strictObject({
  $schema: z.string().optional(),
  cases: z.array(
    z.strictObject({
      ...base,
      given: z
        .strictObject({ upstream: upstream.optional(), options: z.record(z.string(), z.json()).optional() })
        .optional(),
      steps: z.array(verificationStep).min(1),
    }),
  ),
});

export type Answer = z.output<typeof answer>;
export type UpstreamChanges = z.output<typeof upstream>;
export type Tally = z.output<typeof tally>;
export type TokenCase = z.output<typeof tokenCases>['cases'][number];
export type TokenStep = z.output<typeof tokenStep>;
export type TokenOutcome = z.output<typeof tokenOutcome>;
export type VerificationCase = z.output<typeof verificationCases>['cases'][number];
export type VerificationStep = z.output<typeof verificationStep>;
export type HttpOutcome = z.output<typeof httpOutcome>;
