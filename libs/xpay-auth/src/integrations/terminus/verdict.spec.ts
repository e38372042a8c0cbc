import { describe, expect, it } from '@jest/globals';
import type { XPayAuthErrorCode } from '../../core/errors.js';
import type { TokenStatus } from '../../core/token-events.js';
import { type HealthFacts, verdictOf } from './verdict.js';

const away = { state: 'away', reason: 'ECONNREFUSED', unreadable: 0 } as const;

function facts(token: Partial<TokenStatus> = {}, others: Partial<HealthFacts> = {}): HealthFacts {
  return {
    token: {
      state: 'fresh',
      expiresAt: 1_000_000,
      usableForMs: 900_000,
      nextRefreshAt: 700_000,
      failures: 0,
      lastError: undefined,
      clockSkewMs: 0,
      store: undefined,
      ...token,
    },
    hasAccount: true,
    isResting: false,
    trouble: undefined,
    ...others,
  };
}

const failed = (lastError: XPayAuthErrorCode, usableForMs: number): Partial<TokenStatus> => ({
  state: usableForMs > 0 ? 'stale' : 'none',
  usableForMs,
  failures: 3,
  lastError,
});

describe('the health verdict', () => {
  it.each([
    ['with a fresh token', facts()],
    ['with a stale one', facts({ state: 'stale' })],
    ['before the first request for one', facts({ state: 'none', usableForMs: 0 })],
    ['after one expired without requests', facts({ state: 'expired', usableForMs: 0 })],
    ['without an account', facts(failed('configuration', 0), { hasAccount: false, isResting: true })],
    ['with a failure that is a minute old', facts({}, { trouble: { code: 'upstream_timeout', ageMs: 60_000 } })],
  ])('is up %s', (_which, known) => {
    expect(verdictOf(known)).toEqual({ status: 'up', reasons: [] });
  });

  it.each([
    [
      'a token that is not renewed',
      facts(failed('upstream_timeout', 5_000)),
      ['the token is not renewed: upstream_timeout'],
    ],
    [
      'a rejected account while the token is valid',
      facts(failed('credentials_rejected', 5_000), { isResting: true }),
      ['the token is not renewed: credentials_rejected'],
    ],
    [
      'no token because of the upstream',
      facts(failed('upstream_unavailable', 0), { isResting: true }),
      ['no usable token: upstream_unavailable'],
    ],
    ['the store away', facts({ store: away }), ['store away']],
    [
      'callers who cannot be verified',
      facts({}, { trouble: { code: 'overloaded', ageMs: 59_999 } }),
      ['callers cannot be verified: overloaded'],
    ],
    ['the store away, without an account', facts({ store: away }, { hasAccount: false }), ['store away']],
  ])('is degraded with %s', (_what, known, reasons) => {
    expect(verdictOf(known)).toEqual({ status: 'degraded', reasons });
  });

  it.each(['credentials_rejected', 'configuration'] as const)(
    'is down during the backoff after %s without a token, and up afterwards',
    (code) => {
      const known = facts(failed(code, 0), { isResting: true });
      expect(verdictOf(known)).toEqual({ status: 'down', reasons: [`no usable token: ${code}`] });
      expect(verdictOf({ ...known, isResting: false }).status).toBe('degraded');
    },
  );
});
