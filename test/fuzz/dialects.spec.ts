import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  AccessToken,
  type Dialect,
  type Grant,
  Secret,
  type XPayAuthErrorCode,
  giftStream,
  passwordLogin,
  xPay,
} from 'nestjs-xpay-auth';
import { lifeFromNow } from '../../libs/xpay-auth/src/core/lifetime.js';
import { holdsInTime } from '../support/property.js';
import { outcomeOf, outcomeOfPromise, shown } from './outcome.js';
import { SECRETS, rightGiftStream, rightPasswordLogin, rightXPay } from './right-answers.js';
import { answers, upstreamOf } from './upstream-answers.js';

const UPSTREAM: readonly XPayAuthErrorCode[] = [
  'upstream_unavailable',
  'upstream_rate_limited',
  'upstream_malformed',
  'upstream_business_error',
];
const CREDENTIALS = { username: 'ada@example.test', secretKey: SECRETS.secretKey };
const CALL = { path: '/client/wallets/find', uuid: '6ba7b810-9dad-41d1-80b4-00c04fd430c8' };

const dialects: readonly (readonly [string, Dialect, fc.Arbitrary<unknown>])[] = [
  ['xpay', xPay(), rightXPay],
  ['gift-stream', giftStream(), rightGiftStream],
  ['gift-stream with other statuses', giftStream({ refusedStatuses: [200, 401, 403] }), rightGiftStream],
  ['password-login', passwordLogin(), rightPasswordLogin],
  [
    'password-login with other options',
    passwordLogin({ tokenAt: 'access_token', refusedStatuses: [400, 401, 403, 404], refreshPath: '/refresh' }),
    rightPasswordLogin,
  ],
];

describe.each(dialects)('responses to %s', (_, dialect, right) => {
  it('O12 I6 · a login returns a usable grant, is rejected, or fails with a code for upstream failures', async () => {
    await holdsInTime(
      fc.asyncProperty(answers(right), async (answer) => {
        const outcome = await outcomeOfPromise(() =>
          dialect.authenticate(CREDENTIALS, upstreamOf(answer), 'own token'),
        );
        if ('value' in outcome) return expectUsable(outcome.value, answer.status);
        expect([...UPSTREAM, 'invalid_credentials']).toContain(outcome.code);
        if (answer.status === 429 || answer.status >= 500) expect(outcome.code).not.toBe('invalid_credentials');
        expectHarmless(outcome.failure);
      }),
    );
  });

  it.each(['GET', 'POST'] as const)(
    'O15 · a %s of the API returns data, rejects the token or fails',
    async (method) => {
      const token = new AccessToken(SECRETS.token, { expiresAt: Date.UTC(2026, 0, 1) });
      await holdsInTime(
        fc.asyncProperty(answers(right), async (answer) => {
          const outcome = outcomeOf(() => dialect.api.decode(answer, { ...CALL, method }, token));
          if ('value' in outcome) return expect(['data', 'token rejected']).toContain(outcome.value.kind);
          expect(UPSTREAM).toContain(outcome.code);
          // The key is not sent with an API call, so this failure cannot contain it.
          expectHarmless(outcome.failure, [SECRETS.token]);
        }),
      );
    },
  );
});

const renewing = dialects.filter(([, dialect]) => dialect.refresh !== undefined);

describe.each(renewing)('responses to a refresh of %s', (_, dialect, right) => {
  it('O12 · return a usable grant, reject, or fail with a code for upstream failures', async () => {
    const refreshToken = new Secret(SECRETS.token);
    await holdsInTime(
      fc.asyncProperty(answers(right), async (answer) => {
        const outcome = await outcomeOfPromise(async () => dialect.refresh?.(refreshToken, upstreamOf(answer)));
        if ('value' in outcome) return expectFits(outcome.value);
        expect([...UPSTREAM, 'invalid_token']).toContain(outcome.code);
        expectHarmless(outcome.failure);
      }),
    );
  });
});

/** Asserts that a caller can be authenticated with the grant, and that its token can be sent. */
function expectUsable(grant: Grant, status: number): void {
  expect(status).toBeLessThan(300);
  expectFits(grant);
  expect(grant.username).not.toBe('');
  expect(grant.username).not.toMatch(/\p{Cc}/u);
  expect(grant.scopes.length).toBeLessThanOrEqual(100);
  expect(grant.scopes.every((scope) => typeof scope === 'string' && scope.length <= 256)).toBe(true);
  expect(typeof grant.isAPI).toBe('boolean');
}

/** The token is valid in a header, and its lifetime is a valid number, unknown, or rejected. */
function expectFits(grant: Grant | undefined): void {
  if (grant === undefined) throw new Error('no grant');
  const { accessToken, lifeMs, upstreamNow } = grant;
  expect(accessToken.value).toMatch(/^[\x21-\x7e]+$/);
  const { expiresAt } = accessToken;
  const life = outcomeOf(() => lifeFromNow({ expiresAt, lifeMs, upstreamNow }, Date.UTC(2026, 0, 1)));
  if ('code' in life) expect(life.code).toBe('upstream_malformed');
  else if (life.value !== undefined) expect(life.value).toBeGreaterThan(0);
}

/** The failure contains no secret, and its retry time is in ms, if it has one. */
function expectHarmless(failure: Error & { retryAfterMs?: number }, secrets = Object.values<string>(SECRETS)): void {
  for (const secret of secrets) expect(shown(failure)).not.toContain(secret);
  const { retryAfterMs = 0 } = failure;
  expect(Number.isFinite(retryAfterMs) && retryAfterMs >= 0).toBe(true);
}
