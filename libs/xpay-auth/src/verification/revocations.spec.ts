import { describe, expect, it } from '@jest/globals';
import { Revocations } from './revocations.js';

describe('revocations', () => {
  it('I10 · end what began before, and nothing that began after', () => {
    const revocations = new Revocations();
    const before = revocations.mark();
    revocations.revokeUser('ada');
    const after = revocations.mark();
    expect([revocations.endedSince(before, 'ada'), revocations.endedSince(after, 'ada')]).toEqual([true, false]);
    expect(revocations.endedSince(before, 'bob')).toBe(false);
    revocations.revokeAll();
    expect([revocations.endedSince(after, 'ada'), revocations.endedSince(after, 'bob')]).toEqual([true, true]);
    expect(revocations.endedSince(revocations.mark(), 'ada')).toBe(false);
  });

  it('I10 · none is ever lost: when there are too many, everybody who began before logs in again', () => {
    const revocations = new Revocations();
    const before = revocations.mark();
    revocations.revokeUser('ada');
    for (let i = 0; i < 10_000; i++) revocations.revokeUser(`user-${i}`);
    expect(revocations.endedSince(before, 'ada')).toBe(true);
    expect(revocations.endedSince(before, 'bystander')).toBe(true);
    expect(revocations.endedSince(revocations.mark(), 'bystander')).toBe(false);
  });
});
