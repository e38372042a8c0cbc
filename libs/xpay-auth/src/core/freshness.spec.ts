import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type Freshness, freshness, hardMargin, turningPoints } from './lifetime.js';

const since = { wall: Date.UTC(2026, 0, 1), mono: 1_000 };
const rank: Record<Freshness, number> = { fresh: 0, stale: 1, doubtful: 2, expired: 3 };
const life = fc.double({ min: 1, max: 100 * 365 * 86_400_000, noNaN: true });
const share = fc.double({ min: 0.01, max: 0.99, noNaN: true });
const ownMargin = fc.option(fc.double({ min: 0, max: 10_000_000, noNaN: true }), { nil: undefined });

function stateAt(lifeMs: number, ageMs: number, refreshAt = 0.7, aheadMs = 0, hardMarginMs?: number): Freshness {
  const points = turningPoints({ since, lifeMs }, { refreshAt, hardMarginMs });
  return freshness(points, { mono: since.mono + ageMs, wall: since.wall + ageMs + aheadMs });
}

describe('freshness', () => {
  it('never goes back as time passes', () => {
    const ages = fc.array(fc.double({ min: 0, max: 2, noNaN: true }), { minLength: 2, maxLength: 20 });
    fc.assert(
      fc.property(
        life,
        share,
        ownMargin,
        fc.integer({ min: -1e9, max: 1e9 }),
        ages,
        (lifeMs, at, margin, ahead, shares) => {
          const ranks = shares
            .toSorted((one, other) => one - other)
            .map((part) => rank[stateAt(lifeMs, part * lifeMs, at, ahead, margin)]);
          expect(ranks).toEqual(ranks.toSorted((one, other) => one - other));
        },
      ),
    );
  });

  it('O11 · a token of any lifetime is usable on arrival and expires before its end', () => {
    fc.assert(
      fc.property(life, share, ownMargin, (lifeMs, at, margin) => {
        expect(stateAt(lifeMs, 0, at, 0, margin)).toBe('fresh');
        expect(stateAt(lifeMs, lifeMs, at, 0, margin)).toBe('expired');
      }),
    );
  });

  it('O10 · the wall clock alone never makes a token expired, nor an expired one usable', () => {
    fc.assert(
      fc.property(
        life,
        fc.double({ min: 0, max: 2, noNaN: true }),
        fc.integer({ min: -1e12, max: 1e12 }),
        (lifeMs, part, ahead) => {
          const honest = stateAt(lifeMs, part * lifeMs);
          const jumped = stateAt(lifeMs, part * lifeMs, 0.7, ahead);
          expect(jumped === 'expired').toBe(honest === 'expired');
        },
      ),
    );
  });

  it('O10 · a wall clock that ran ahead by more than the margin makes a fresh token stale; one set back does not', () => {
    expect(stateAt(3_600_000, 0, 0.7, 30_000)).toBe('fresh');
    expect(stateAt(3_600_000, 0, 0.7, 30_001)).toBe('stale');
    expect(stateAt(2_000, 0, 0.7, 1_000)).toBe('fresh');
    expect(stateAt(2_000, 0, 0.7, 1_001)).toBe('stale');
    expect(stateAt(3_600_000, 0, 0.7, -7_200_000)).toBe('fresh');
  });

  it('E3 · a token that is expired only by a wall clock that ran ahead is doubtful', () => {
    expect([stateAt(3_600_000, 0, 0.7, 3_569_999), stateAt(3_600_000, 0, 0.7, 3_570_000)]).toEqual([
      'stale',
      'doubtful',
    ]);
    expect([stateAt(3_600_000, 600_000, 0.7, 2_970_000), stateAt(2_000, 0, 0.7, 1_800)]).toEqual([
      'doubtful',
      'doubtful',
    ]);
    expect(stateAt(3_600_000, 3_569_999, 0.7, 1)).toBe('stale');
  });

  it('turns stale at the share of the lifetime, and expires at the margin', () => {
    expect([stateAt(3_600_000, 2_519_999), stateAt(3_600_000, 2_520_000)]).toEqual(['fresh', 'stale']);
    expect([stateAt(3_600_000, 3_569_999), stateAt(3_600_000, 3_570_000)]).toEqual(['stale', 'expired']);
  });

  it('a token is never stale if its margin is longer than the stale period', () => {
    expect([stateAt(10_000, 4_999, 0.7, 0, 8_000), stateAt(10_000, 5_000, 0.7, 0, 8_000)]).toEqual([
      'fresh',
      'expired',
    ]);
  });
});

describe('hardMargin', () => {
  it.each([
    ['1,000 days', 86_400_000_000, 30_000],
    ['1 h', 3_600_000, 30_000],
    ['5 min', 300_000, 15_000],
    ['60 s', 60_000, 3_000],
    ['30 s', 30_000, 2_000],
    ['5 s', 5_000, 500],
    ['2 s', 2_000, 200],
  ])('the margin of a lifetime of %s', (_, lifeMs, marginMs) => {
    expect(hardMargin(lifeMs)).toBe(marginMs);
  });

  it('a configured margin takes at most half of the lifetime', () => {
    expect([hardMargin(60_000, 10_000), hardMargin(60_000, 50_000), hardMargin(60_000, 0)]).toEqual([
      10_000, 30_000, 0,
    ]);
  });
});
