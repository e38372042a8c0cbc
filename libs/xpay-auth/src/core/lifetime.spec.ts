import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { XPayAuthError } from './errors.js';
import { type ExpiryFacts, clockSkew, lifeFromNow } from './lifetime.js';

const WALL = Date.UTC(2026, 0, 1);
const HOUR_MS = 3_600_000;

describe('clockSkew', () => {
  it.each([
    ['without a date to compare', {}, 0],
    ['the same', { upstreamNow: WALL }, 0],
    ['2 s ahead, which whole seconds may explain', { upstreamNow: WALL + 2_000 }, 0],
    ['more than that', { upstreamNow: WALL + 2_001 }, 2_001],
    ['behind', { upstreamNow: WALL - 7_200_000 }, -7_200_000],
    ['behind by what the answer took', { upstreamNow: WALL - 5_000, elapsedMs: 4_000 }, 0],
    ['ahead, however long the answer took', { upstreamNow: WALL + 5_000, elapsedMs: 4_000 }, 5_000],
    ['no number', { upstreamNow: NaN }, 0],
  ] satisfies [string, ExpiryFacts, number][])('%s', (_, facts, skew) => {
    expect(clockSkew(facts, WALL)).toBe(skew);
  });
});

describe('lifeFromNow', () => {
  it.each([
    ['unknown', {}, undefined],
    ['by our clock', { expiresAt: WALL + HOUR_MS }, HOUR_MS],
    [
      'by the upstream’s, where the clocks differ',
      { expiresAt: WALL + 3 * HOUR_MS, upstreamNow: WALL + 2 * HOUR_MS },
      HOUR_MS - 1_000,
    ],
    [
      'by the upstream’s, where it is behind',
      { expiresAt: WALL - HOUR_MS, upstreamNow: WALL - 2 * HOUR_MS },
      HOUR_MS - 1_000,
    ],
    [
      'by the upstream’s, less the second that Date may have lost',
      { expiresAt: WALL + HOUR_MS, upstreamNow: WALL },
      HOUR_MS - 1_000,
    ],
    ['which takes no more than half', { expiresAt: WALL + 2_000, upstreamNow: WALL + 1_000 }, 500],
    ['and nothing where the upstream tells the ms', { expiresAt: WALL + 2_000, upstreamNow: WALL + 100 }, 1_900],
    ['by ours, where that is shorter', { expiresAt: WALL + 2_000, upstreamNow: WALL - 1_100 }, 2_000],
    ['by ours, where the upstream’s is hours behind', { expiresAt: WALL + HOUR_MS, upstreamNow: 0 }, HOUR_MS],
    [
      'by ours, where it is over by the upstream’s',
      { expiresAt: WALL + HOUR_MS, upstreamNow: WALL + 2 * HOUR_MS },
      HOUR_MS,
    ],
    ['as the upstream counts it, whatever the clocks say', { lifeMs: 5_000, expiresAt: 1, upstreamNow: 1 }, 5_000],
    [
      'less what the answer took, where its own Date counts',
      { expiresAt: WALL + 3 * HOUR_MS, upstreamNow: WALL + 2 * HOUR_MS, elapsedMs: 6_000 },
      HOUR_MS - 7_000,
    ],
    ['less what the answer took, where it says how long', { lifeMs: 60_000, elapsedMs: 6_000 }, 54_000],
    ['at least half of it, however long the answer took', { lifeMs: 2_000, elapsedMs: 3_000 }, 1_000],
    ['by our clock, however long the answer took', { expiresAt: WALL + HOUR_MS, elapsedMs: 6_000 }, HOUR_MS],
    ['1,000 days', { expiresAt: WALL + 86_400_000_000 }, 86_400_000_000],
    ['100 years at most', { expiresAt: Date.UTC(9999, 11, 31, 23, 59, 59, 999) }, 100 * 365 * 86_400_000],
  ] satisfies [string, ExpiryFacts, number | undefined][])('O10 · %s', (_, facts, lifeMs) => {
    expect(lifeFromNow(facts, WALL)).toBe(lifeMs);
  });

  it.each([
    ['over', { expiresAt: WALL - 1 }, /1 ms before it was given/],
    ['over just now', { expiresAt: WALL }, /0 ms before/],
    ['over by both clocks', { expiresAt: WALL - 5, upstreamNow: WALL + 1_000 }, /5 ms before/],
    [
      'over by our clock, after a response that took longer than the lifetime',
      { expiresAt: WALL - 5, upstreamNow: WALL - 2_000, elapsedMs: 2_000 },
      /5 ms before/,
    ],
    [
      'over by our clock, which may well agree with a Date that lost part of a second',
      { expiresAt: WALL - 5, upstreamNow: WALL - 2_000, elapsedMs: 1_900 },
      /5 ms before/,
    ],
    ['after the year 9999', { expiresAt: Date.UTC(10_000, 0) }, /after the year 9999/],
    ['in seconds', { expiresAt: WALL / 1_000 }, /seconds where ms were expected/],
    ['in µs', { expiresAt: WALL * 1_000 }, /more than 100 years/],
    ['no number', { expiresAt: NaN }, /no readable time/],
    ['endless', { lifeMs: Infinity }, /more than 100 years/],
    ['negative', { lifeMs: -5 }, /5 ms before/],
  ] satisfies [string, ExpiryFacts, RegExp][])('O12 · %s is upstream_malformed', (_, facts, words) => {
    expect(() => lifeFromNow(facts, WALL)).toThrow(words);
    expect(() => lifeFromNow(facts, WALL)).toThrow(XPayAuthError);
  });

  it('O12 · a lifetime is positive and finite for any expiry', () => {
    const any = fc.option(fc.double(), { nil: undefined });
    fc.assert(
      fc.property(any, any, any, (expiresAt, lifeMs, upstreamNow) => {
        let life: number | undefined;
        try {
          life = lifeFromNow({ expiresAt, lifeMs, upstreamNow }, WALL);
        } catch (failure) {
          expect(failure).toMatchObject({ code: 'upstream_malformed' });
          return;
        }
        if (life === undefined) expect([expiresAt, lifeMs]).toEqual([undefined, undefined]);
        else expect(life > 0 && life <= 100 * 365 * 86_400_000).toBe(true);
      }),
    );
  });
});
