import { z } from 'zod';

// The format of the cases, explained in README.md. Unknown members are errors: a misspelt expectation would always hold.

const ms = z.int().min(0);
const count = z.int().min(0);
const label = z.string().regex(/^[A-Z]\w*$/, 'a label begins with a capital');
/** A number, or the smallest and the largest accepted number. */
const range = z.union([z.number(), z.tuple([z.number(), z.number()])]);

/** Answers of the upstream to a login. */
const answer = z.enum(['badGateway', 'redirects', 'refuses', 'expired']);

/** Changes of the upstream. Settings that are absent stay. */
const upstream = z.strictObject({
  lifeMs: ms.optional(),
  /** Added to the accounts, by username. */
  accounts: z.record(z.string(), z.strictObject({ secretKey: z.string() })).optional(),
  /** For the next logins, one each, before `always`. */
  next: z.array(answer).optional(),
  /** For every login, until `clear`. */
  always: answer.optional(),
  clear: z.boolean().optional(),
});

const tally = z.strictObject({ logins: count.optional(), events: z.array(z.string()).optional() });
const commonSteps = [
  z.strictObject({ do: z.literal('advance'), ms }),
  upstream.extend({ do: z.literal('upstream') }),
  tally.extend({ do: z.literal('expect') }),
] as const;

const base = {
  name: z.string().min(10),
  /** The codes of the behaviours. */
  rows: z.array(z.string().regex(/^[OIBCDES]\d+$/)).min(1),
  expect: z.strictObject({ logins: count, events: z.array(z.string()) }),
};

/** The result of a caller for a token. Equal labels are one token, different labels are two. */
const tokenOutcome = z.union([
  z.strictObject({ token: label }),
  z.strictObject({ none: z.literal(true) }),
  z.strictObject({ error: z.string() }),
]);

const tokenStep = z.discriminatedUnion('do', [
  z.strictObject({
    do: z.literal('ask'),
    callers: z.int().min(1).default(1),
    inTurn: z.boolean().optional(),
    expect: tokenOutcome,
  }),
  z.strictObject({ do: z.literal('peek'), expect: tokenOutcome }),
  z.strictObject({ do: z.literal('invalidate') }),
  ...commonSteps,
]);

export const tokenCases = z.strictObject({
  $schema: z.string().optional(),
  cases: z.array(
    z.strictObject({
      ...base,
      given: z
        .strictObject({
          upstream: upstream.optional(),
          /** Two tokens of one account and one second are equal. */
          equalTokensWithinASecond: z.boolean().optional(),
          /** Options of the module, in place of those that README.md states. */
          token: z.strictObject({ refreshAt: z.tuple([z.number(), z.number()]), hardMarginMs: ms }).optional(),
        })
        .optional(),
      steps: z.array(tokenStep).min(1),
    }),
  ),
});

/** The response of a route or of the login. Members that are absent are not compared. */
const httpOutcome = z.strictObject({
  status: z.int(),
  errorCode: z.string().optional(),
  username: z.string().optional(),
  /** All `WWW-Authenticate` lines. */
  challenge: z.array(z.string()).optional(),
  /** In seconds. */
  retryAfter: range.optional(),
});

const credentials = z.tuple([z.string(), z.string()]);
const verificationStep = z.discriminatedUnion('do', [
  z.strictObject({
    do: z.literal('request'),
    /** `GET /me` with Basic credentials. */
    presents: z.strictObject({ basic: credentials }).optional(),
    /** `POST /login` with credentials as JSON. */
    login: credentials.optional(),
    expect: httpOutcome,
  }),
  ...commonSteps,
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

export type UpstreamChanges = z.output<typeof upstream>;
export type CommonStep = z.output<(typeof commonSteps)[number]>;
export type Tally = z.output<typeof tally>;
export type TokenCase = z.output<typeof tokenCases>['cases'][number];
export type TokenStep = z.output<typeof tokenStep>;
export type TokenOutcome = z.output<typeof tokenOutcome>;
export type VerificationCase = z.output<typeof verificationCases>['cases'][number];
export type VerificationStep = z.output<typeof verificationStep>;
export type HttpOutcome = z.output<typeof httpOutcome>;
