import { describe, expect, it } from '@jest/globals';
import { msFromSeconds } from './seconds.js';

describe('msFromSeconds', () => {
  it('takes numbers, and numbers as text', () => {
    expect([60, '60', '0.5', -1, '-1', 0].map((value) => msFromSeconds(value, 'exp'))).toEqual([
      60_000, 60_000, 500, -1_000, -1_000, 0,
    ]);
  });

  it('leaves alone what is not there', () => {
    expect([undefined, null].map((value) => msFromSeconds(value, 'exp'))).toEqual([undefined, undefined]);
  });

  it.each(['', ' ', 'soon', '1e3', '0x10', '9'.repeat(400), true, {}, [60]])('O12 · is malformed: %j', (value) => {
    expect(() => msFromSeconds(value, 'exp')).toThrow(expect.objectContaining({ code: 'upstream_malformed' }));
  });
});
