import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { XPayAuthError } from './errors.js';
import { type FailedAttempt, pauseAfter, refreshShare, refusedPeriod } from './refresh-policy.js';

const policy = { backoffMs: { min: 1_000, max: 30_000 }, rejectedRetryMs: { min: 1_000, max: 60_000 } };
const failed = (about: Partial<FailedAttempt> & { retryAfterMs?: number } = {}): FailedAttempt => {
  const { retryAfterMs, ...rest } = about;
  const error = new XPayAuthError('upstream_unavailable', 'down', { retryAfterMs });
  return { error, failures: 1, usableForMs: 0, tookMs: 0, ...rest };
};
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const failures = fc.integer({ min: 1, max: 100_000 });
const duration = fc.double({ min: 0, max: 1e9, noNaN: true });

describe('pauseAfter', () => {
  it('O8 · grows with full jitter from 1 s to 30 s while a token is held', () => {
    const bounds = [1, 2, 3, 4, 5, 6, 60].map((count) => {
      const attempt = failed({ failures: count, usableForMs: 900_000 });
      return [pauseAfter(attempt, policy, () => 0), pauseAfter(attempt, policy, () => 1)];
    });
    expect(bounds).toEqual([2, 4, 8, 16, 30, 30, 30].map((s) => [1_000, s * 1_000]));
  });

  it('O9 · never outlasts the token at hand, so that the attempt at the margin comes at once', () => {
    fc.assert(
      fc.property(
        failures,
        random,
        fc.double({ min: 1, max: 1e9, noNaN: true }),
        fc.option(duration),
        (count, r, usableForMs, asked) => {
          const attempt = failed({ failures: count, usableForMs, ...(asked !== null && { retryAfterMs: asked }) });
          expect(pauseAfter(attempt, policy, () => r)).toBeLessThanOrEqual(usableForMs);
        },
      ),
    );
  });

  it('O9 · without a token attempts are at most a second apart, from start to start', () => {
    fc.assert(
      fc.property(failures, random, duration, (count, r, tookMs) => {
        const pauseMs = pauseAfter(failed({ failures: count, tookMs }), policy, () => r);
        expect(pauseMs).toBe(Math.max(0, 1_000 - tookMs));
      }),
    );
  });

  it('O13 · Retry-After is honoured: whole while a token is held, up to 60 s without one', () => {
    expect(pauseAfter(failed({ retryAfterMs: 120_000, usableForMs: 900_000 }), policy, () => 0)).toBe(120_000);
    expect(pauseAfter(failed({ retryAfterMs: 120_000, usableForMs: 90_000 }), policy, () => 0)).toBe(90_000);
    expect(pauseAfter(failed({ retryAfterMs: 120_000 }), policy, () => 0)).toBe(60_000);
    expect(pauseAfter(failed({ retryAfterMs: 20_000 }), policy, () => 0)).toBe(20_000);
  });

  it.each([0, -5, NaN, 1])('O13 · Retry-After of %d ms is no leave to hammer', (retryAfterMs) => {
    expect(pauseAfter(failed({ retryAfterMs }), policy, () => 0)).toBe(1_000);
    expect(pauseAfter(failed({ retryAfterMs, usableForMs: 900_000 }), policy, () => 0)).toBe(1_000);
  });
});

describe('refusedPeriod', () => {
  it('O4 · doubles from 1 s to 60 s, and stays there', () => {
    expect([1, 2, 3, 4, 5, 6, 7, 8, 1_000, 1e9].map((times) => refusedPeriod(times, policy) / 1_000)).toEqual([
      1, 2, 4, 8, 16, 32, 60, 60, 60, 60,
    ]);
  });
});

describe('refreshShare', () => {
  it('O8 · is the same for the same instance, and within the range', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.double({ min: 0.1, max: 0.5, noNaN: true }),
        fc.double({ min: 0, max: 0.4, noNaN: true }),
        (seed, from, width) => {
          const share = refreshShare([from, from + width], seed);
          expect(share).toBe(refreshShare([from, from + width], seed));
          expect(share >= from && share <= from + width).toBe(true);
        },
      ),
    );
  });

  it('O8 · spreads instances evenly, neighbouring process ids too', () => {
    const tenths = Array.from({ length: 10 }, () => 0);
    for (let pid = 1; pid <= 1_000; pid++) {
      const tenth = Math.floor(refreshShare([0, 1], `host ${pid} default`) * 10);
      tenths[tenth] = (tenths[tenth] ?? 0) + 1;
    }
    expect(Math.min(...tenths)).toBeGreaterThan(60);
    expect(Math.max(...tenths)).toBeLessThan(140);
  });
});
