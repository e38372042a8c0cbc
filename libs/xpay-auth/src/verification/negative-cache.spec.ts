import { describe, expect, it } from '@jest/globals';
import { NegativeCache } from './negative-cache.js';

describe('refused credentials', () => {
  it('I3 · are refused without a question for the period, to the ms', () => {
    const refused = new NegativeCache(5_000);
    refused.add('a', 100);
    expect([refused.has('a', 100), refused.has('a', 5_099), refused.has('a', 5_100), refused.has('b', 100)]).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });

  it('I3 · a period of 0 asks every time', () => {
    const refused = new NegativeCache(0);
    refused.add('a', 100);
    expect(refused.has('a', 100)).toBe(false);
  });

  it('I5 · count once an hour, however often they are refused', () => {
    const refused = new NegativeCache(5_000);
    expect([refused.add('a', 0), refused.add('a', 5_000), refused.add('a', 3_599_999)]).toEqual([true, false, false]);
    expect(refused.add('a', 3_600_000)).toBe(true);
    expect(refused.add('b', 0)).toBe(true);
  });

  it('D3 · count once an hour when they are answered without being judged, and are not refused for it', () => {
    const refused = new NegativeCache(5_000);
    expect([refused.addUnjudged('a', 0), refused.addUnjudged('a', 1_000), refused.has('a', 1_000)]).toEqual([
      true,
      false,
      false,
    ]);
    expect([refused.add('a', 2_000), refused.addUnjudged('a', 3_000), refused.has('a', 6_999)]).toEqual([
      false,
      false,
      true,
    ]);
    expect(refused.addUnjudged('a', 3_600_000)).toBe(true);
  });

  it('I2 · a flood pushes out other refused ones alone, and is bounded', () => {
    const refused = new NegativeCache(5_000);
    refused.add('first', 0);
    for (let i = 0; i < 1_000; i++) refused.add(`guess-${i}`, 0);
    expect([refused.has('first', 0), refused.has('guess-0', 0)]).toEqual([false, true]);
  });
});
