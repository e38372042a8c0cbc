import { describe, expect, it } from '@jest/globals';
import { Revocations } from './upstream-check.js';

describe('revocations', () => {
  it('I10 · end what began before, and nothing that began after', () => {
    const revocations = new Revocations();
    const before = revocations.position();
    revocations.revokeUser('ada');
    const after = revocations.position();
    expect([revocations.revokedSince(before, 'ada'), revocations.revokedSince(after, 'ada')]).toEqual([true, false]);
    expect(revocations.revokedSince(before, 'bob')).toBe(false);
    revocations.revokeAll();
    expect([revocations.revokedSince(after, 'ada'), revocations.revokedSince(after, 'bob')]).toEqual([true, true]);
    expect(revocations.revokedSince(revocations.position(), 'ada')).toBe(false);
  });

  it('I10 · none is ever lost: beyond the limit, every caller that began before logs in again', () => {
    const revocations = new Revocations();
    const before = revocations.position();
    revocations.revokeUser('ada');
    for (let i = 0; i < 10_000; i++) revocations.revokeUser(`user-${i}`);
    expect(revocations.revokedSince(before, 'ada')).toBe(true);
    expect(revocations.revokedSince(before, 'bystander')).toBe(true);
    expect(revocations.revokedSince(revocations.position(), 'bystander')).toBe(false);
  });
});
