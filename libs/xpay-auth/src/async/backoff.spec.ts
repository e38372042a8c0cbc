import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { XPayAuthError } from '../core/errors.js';
import { type FailedAttempt, backoffAfter, doubled } from './backoff.js';

const policy = { backoffMs: { min: 1_000, max: 30_000 }, rejectedRetryMs: { min: 1_000, max: 60_000 } };
const failed = (about: Partial<FailedAttempt> & { retryAfterMs?: number } = {}): FailedAttempt => {
  const { retryAfterMs, ...rest } = about;
  const error = new XPayAuthError('upstream_unavailable', 'down', { retryAfterMs });
  return { error, failures: 1, usableForMs: 0, lifeMs: undefined, tookMs: 0, ...rest };
};
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const failures = fc.integer({ min: 1, max: 100_000 });
const duration = fc.double({ min: 0, max: 1e9, noNaN: true });

describe('backoffAfter', () => {
  it('O8 · grows with full jitter from 1 s to 30 s while a token is usable', () => {
    const bounds = [1, 2, 3, 4, 5, 6, 60].map((count) => {
      const attempt = failed({ failures: count, usableForMs: 900_000 });
      return [backoffAfter(attempt, policy, () => 0), backoffAfter(attempt, policy, () => 1)];
    });
    expect(bounds).toEqual([2, 4, 8, 16, 30, 30, 30].map((s) => [1_000, s * 1_000]));
  });

  it('O9 · never outlasts the current token, so the attempt at its margin is made at once', () => {
    fc.assert(
      fc.property(
        failures,
        random,
        fc.double({ min: 1, max: 1e9, noNaN: true }),
        fc.option(duration),
        (count, r, usableForMs, asked) => {
          const attempt = failed({ failures: count, usableForMs, ...(asked !== null && { retryAfterMs: asked }) });
          expect(backoffAfter(attempt, policy, () => r)).toBeLessThanOrEqual(usableForMs);
        },
      ),
    );
  });

  it('O9 · without a token attempts are at most a second apart from start to start', () => {
    fc.assert(
      fc.property(failures, random, duration, (count, r, tookMs) => {
        const backoffMs = backoffAfter(failed({ failures: count, tookMs }), policy, () => r);
        expect(backoffMs).toBe(Math.max(0, 1_000 - tookMs));
      }),
    );
  });

  it('O13 · honours Retry-After in full while a token is usable, and up to 60 s without one', () => {
    expect(backoffAfter(failed({ retryAfterMs: 120_000, usableForMs: 900_000 }), policy, () => 0)).toBe(120_000);
    expect(backoffAfter(failed({ retryAfterMs: 120_000, usableForMs: 90_000 }), policy, () => 0)).toBe(90_000);
    expect(backoffAfter(failed({ retryAfterMs: 120_000 }), policy, () => 0)).toBe(60_000);
    expect(backoffAfter(failed({ retryAfterMs: 20_000 }), policy, () => 0)).toBe(20_000);
  });

  it.each([0, -5, NaN, 1])('O13 · Retry-After of %d ms still waits the shortest backoff', (retryAfterMs) => {
    expect(backoffAfter(failed({ retryAfterMs }), policy, () => 0)).toBe(1_000);
    expect(backoffAfter(failed({ retryAfterMs, usableForMs: 900_000 }), policy, () => 0)).toBe(1_000);
  });
});

describe('doubled', () => {
  it('O4 · doubles from 1 s to 60 s, and stays there', () => {
    expect([1, 2, 3, 4, 5, 6, 7, 8, 1_000, 1e9].map((times) => doubled(policy.rejectedRetryMs, times) / 1_000)).toEqual(
      [1, 2, 4, 8, 16, 32, 60, 60, 60, 60],
    );
  });
});
