import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { refreshShare } from './lifetime.js';

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

  it('O8 · spreads instances evenly, also with consecutive process ids', () => {
    const tenths = Array.from({ length: 10 }, () => 0);
    for (let pid = 1; pid <= 1_000; pid++) {
      const tenth = Math.floor(refreshShare([0, 1], `host ${pid} default`) * 10);
      tenths[tenth] = (tenths[tenth] ?? 0) + 1;
    }
    expect(Math.min(...tenths)).toBeGreaterThan(60);
    expect(Math.max(...tenths)).toBeLessThan(140);
  });
});
