import { describe, expect, it } from '@jest/globals';
import { FixedWindowCounter } from './fixed-window-counter.js';

describe('FixedWindowCounter', () => {
  it('I5 · opens a window with the first count and closes it on time', () => {
    const counter = new FixedWindowCounter();
    expect(counter.count('a', 60_000, 0)).toEqual({ count: 1, remainingMs: 60_000, window: '1' });
    expect(counter.count('a', 60_000, 59_999)).toEqual({ count: 2, remainingMs: 1, window: '1' });
    expect(counter.count('a', 60_000, 60_000)).toEqual({ count: 1, remainingMs: 60_000, window: '2' });
  });

  it('I5 · takes a count off its own window only, and keeps no key without a count', () => {
    const counter = new FixedWindowCounter();
    const { window } = counter.count('a', 10, 0);
    counter.count('a', 10, 10);
    counter.uncount('a', window);
    expect(counter.count('a', 10, 11).count).toBe(2);
    counter.uncount('b', '1');
    const only = counter.count('b', 10, 0);
    counter.uncount('b', only.window);
    expect(counter.size).toBe(1);
  });
});
