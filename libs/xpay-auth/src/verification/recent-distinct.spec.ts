import { describe, expect, it } from '@jest/globals';
import { RecentDistinct } from './upstream-cooldowns.js';

/** Adds each key at its time, and returns the last answer. */
function added(keys: readonly (readonly [string, number])[]): boolean {
  const recent = new RecentDistinct(3, 10);
  return keys.map(([key, now]) => recent.add(key, now)).at(-1) ?? false;
}

describe('RecentDistinct', () => {
  it('D3 · counts different keys only', () => {
    expect(added(['a', 'b', 'a', 'b'].map((key) => [key, 0]))).toBe(false);
    expect(added(['a', 'b', 'a', 'c'].map((key) => [key, 0]))).toBe(true);
  });

  it('D3 · compares the newest key with the first of the last ones, also after more keys than it counts', () => {
    const old = [['a', 0]] as const;
    expect(added([...old, ['b', 5], ['c', 10]])).toBe(true);
    expect(added([...old, ['b', 5], ['c', 11]])).toBe(false);
    expect(added([...old, ['b', 5], ['c', 11], ['d', 15]])).toBe(true);
    expect(added([...old, ['b', 5], ['c', 11], ['d', 16]])).toBe(false);
  });

  it('D3 · begins again when it is cleared', () => {
    const recent = new RecentDistinct(2, 10);
    recent.add('a', 0);
    recent.clear();
    expect([recent.add('b', 0), recent.add('c', 0)]).toEqual([false, true]);
  });
});
