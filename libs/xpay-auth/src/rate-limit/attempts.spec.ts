import { describe, expect, it } from '@jest/globals';
import { KeyedDigest } from '../core/credentials.js';
import type { XPayAuthError } from '../core/errors.js';
import type { Store } from '../core/store.js';
import { MemoryStore } from '../testing/kit/memory-store.js';
import { ManualClock } from '../testing/emulators/manual-clock.js';
import { type AttemptLimits, CountedAttempts, type ReservedAttempt } from './attempts.js';
import type { AuditEvent } from '../core/audit-events.js';

const limit = (attempts: number, windowMs = 60_000) => ({ attempts, windowMs });
const roomy = { perUserAndAddress: limit(1_000), perAddress: limit(1_000), perUser: limit(1_000) };

function counters(limits: Partial<AttemptLimits>, store?: Store) {
  const events: AuditEvent[] = [];
  const clock = new ManualClock();
  const attempts = new CountedAttempts({
    limits: { ...roomy, ...limits },
    clock,
    digest: new KeyedDigest(),
    audit: (event) => void events.push(event),
    store,
  });
  const tryToReserve = (username: string, address?: string) => attempts.reserve({ scheme: 'Basic', username, address });
  const reserve = async (username: string, address?: string): Promise<ReservedAttempt> => {
    const attempt = await tryToReserve(username, address);
    if (attempt === undefined) throw new Error('other reservations are open');
    return attempt;
  };
  const free = (username: string, address: string) => attempts.free({ scheme: 'Basic', username, address });
  const refusesLockedOut = (username: string, address?: string): boolean => {
    try {
      attempts.refuseLockedOut({ scheme: 'Basic', username, address });
      return false;
    } catch {
      return true;
    }
  };
  /** Ms to wait, or 0 for an attempt that was let through and failed. */
  const guess = (username: string, address?: string): Promise<number> =>
    reserve(username, address).then(
      (attempt) => attempt.failed().then(() => 0),
      (failure: XPayAuthError) => failure.retryAfterMs ?? -1,
    );
  return { attempts, tryToReserve, reserve, free, refusesLockedOut, guess, events, clock };
}

describe('attempts', () => {
  it('I5 · of 1,000 at once 10 are let through; the others wait until those have failed', async () => {
    for (const store of [undefined, new MemoryStore()]) {
      const { tryToReserve, guess, events } = counters({ perUserAndAddress: limit(10) }, store);
      const attempts = await Promise.all(Array.from({ length: 1_000 }, () => tryToReserve('ada', '192.0.2.1')));
      const reserved = attempts.filter((attempt) => attempt !== undefined);
      expect([reserved.length, events.length]).toEqual([10, 0]);
      await Promise.all(reserved.slice(1).map((attempt) => attempt.failed()));
      expect(await tryToReserve('ada', '192.0.2.1')).toBeUndefined();
      await reserved[0]?.succeeded();
      expect([await guess('ada', '192.0.2.1'), await guess('ada', '192.0.2.1')]).toEqual([0, expect.any(Number)]);
      expect(events).toMatchObject([{ type: 'locked-out', limit: 'perUserAndAddress' }]);
    }
  });

  it('I5 · a window begins with its first failure and ends on time; the wait is what is left of it', async () => {
    const { guess, clock } = counters({ perUser: limit(2) });
    await guess('ada');
    await clock.advance(20_000);
    await guess('ada');
    expect(await guess('ada')).toBe(40_000);
    await clock.advance(39_999);
    expect(await guess('ada')).toBe(1);
    await clock.advance(1);
    expect([await guess('ada'), await guess('ada'), await guess('ada')]).toEqual([0, 0, 60_000]);
  });

  it('I5 · being told to wait does not lengthen the wait', async () => {
    const { guess, clock } = counters({ perUser: limit(1) });
    await guess('ada');
    for (let i = 0; i < 100; i++) await guess('ada');
    await clock.advance(60_000);
    expect(await guess('ada')).toBe(0);
  });

  it('I5 · refunds successes and upstream failures, and a late refund adds no credit', async () => {
    const { reserve, guess, clock } = counters({ perUser: limit(2) });
    for (let i = 0; i < 10; i++) await (await reserve('ada')).succeeded();
    for (let i = 0; i < 10; i++) await (await reserve('ada')).refund();
    const late = await Promise.all([reserve('ada'), reserve('ada')]);
    await clock.advance(60_001);
    for (const attempt of late) await attempt.refund();
    expect([await guess('ada'), await guess('ada'), await guess('ada')]).toEqual([0, 0, 60_000]);

    const later = await Promise.all([reserve('bob'), reserve('bob')]);
    await clock.advance(60_001);
    expect(await guess('bob')).toBe(0);
    for (const attempt of later) await attempt.refund();
    expect([await guess('bob'), await guess('bob')]).toEqual([0, 60_000]);
  });

  it('I5 · an address that is locked out uses up the budget of no user', async () => {
    const { guess, events } = counters({ perAddress: limit(3), perUser: limit(10) });
    for (let i = 0; i < 100; i++) await guess('ada', '192.0.2.1');
    for (let i = 0; i < 7; i++) expect(await guess('ada', `198.51.100.${i}`)).toBe(0);
    expect(await guess('ada', '203.0.113.1')).toBe(60_000);
    expect(events).toHaveLength(98);
    expect(events[0]).toEqual({
      type: 'locked-out',
      scheme: 'Basic',
      username: 'ada',
      address: '192.0.2.1',
      limit: 'perAddress',
    });
    expect(events.at(-1)).toMatchObject({ limit: 'perUser' });
  });

  it('I5 · an address with a recent success may try when the name is spent, within its own limit, for 30 days', async () => {
    const days40 = 40 * 86_400_000;
    const limits = { perUser: limit(2, days40), perUserAndAddress: limit(3, days40) };
    const { reserve, guess, clock } = counters(limits);
    await (await reserve('ada', '192.0.2.1')).succeeded();
    for (const stranger of ['198.51.100.1', '198.51.100.2']) await guess('ada', stranger);
    expect(await guess('ada', '198.51.100.3')).toBeGreaterThan(0);
    expect(await guess('ada', '192.0.2.1')).toBe(0);
    expect(await guess('bob', '192.0.2.1')).toBe(0);
    await clock.advance(30 * 86_400_000 - 1);
    expect(await guess('ada', '192.0.2.1')).toBe(0);
    await clock.advance(1);
    expect(await guess('ada', '192.0.2.1')).toBeGreaterThan(0);
  });

  it('I5 · an account with a similar name makes its address trusted for that account only', async () => {
    const { reserve, guess } = counters({ perUser: limit(1) });
    await (await reserve('Áda', '192.0.2.1')).succeeded();
    await guess('ada', '198.51.100.1');
    expect(await guess('ada', '192.0.2.1')).toBe(60_000);
    expect(await guess('Áda', '192.0.2.1')).toBe(0);
  });

  it('I5 · an address stays trusted while its caller is renewed in the background, which costs no attempt', async () => {
    const limits = { perUser: limit(1, 2 ** 31 - 1) };
    const { reserve, free, guess, clock } = counters(limits);
    await (await reserve('ada', '192.0.2.1')).succeeded();
    await clock.advance(20 * 86_400_000);
    await free('ada', '192.0.2.1').succeeded();
    await clock.advance(20 * 86_400_000);
    await guess('ada', '198.51.100.1');
    await guess('ada', '198.51.100.1');
    expect(await guess('ada', '192.0.2.1')).toBe(0);
  });

  it('D3 · knows the addresses from which this very user was authenticated; without an address or the store, none', async () => {
    const store = new MemoryStore();
    const { reserve } = counters({}, store);
    const isTrusted = async (username: string, address?: string): Promise<boolean> =>
      (await reserve(username, address)).isFromTrustedAddress();
    await (await reserve('ada', '192.0.2.1')).succeeded();
    expect([await isTrusted('ada', '192.0.2.1'), await isTrusted('Ada', '192.0.2.1')]).toEqual([true, false]);
    expect([await isTrusted('ada', '192.0.2.2'), await isTrusted('ada')]).toEqual([false, false]);
    store.goAway();
    expect([await isTrusted('ada', '192.0.2.1'), await isTrusted('ada', '192.0.2.2')]).toEqual([true, false]);
  });

  it('I5 · without an address only the name is counted', async () => {
    const { guess } = counters({ perUserAndAddress: limit(1), perAddress: limit(1), perUser: limit(3) });
    expect([await guess('ada'), await guess('ada'), await guess('ada'), await guess('ada')]).toEqual([0, 0, 0, 60_000]);
    expect(await guess('bob')).toBe(0);
  });
});

describe('a known lockout', () => {
  it('I5 · is refused without a call of the store, unless only the store knows whether the address is trusted', async () => {
    const store = new MemoryStore();
    const { reserve, guess, refusesLockedOut } = counters({ perUser: limit(1), perAddress: limit(2) }, store);
    await (await reserve('ada', '192.0.2.1')).succeeded();
    expect(refusesLockedOut('ada', '192.0.2.1')).toBe(false);
    await guess('ada', '198.51.100.1');
    const isRefused = [undefined, '192.0.2.1', '192.0.2.2'].map((address) => refusesLockedOut('ada', address));
    expect(isRefused).toEqual([true, false, false]);
    await guess('bob', '198.51.100.1');
    expect(refusesLockedOut('eve', '198.51.100.1')).toBe(true);
    expect(counters({}).refusesLockedOut('ada')).toBe(false);
  });

  it('I5 D9 · is no 429 for 3 s after the store has lost its data: the caller waits 0.5 s, then gets store_unavailable', async () => {
    const { attempts, tryToReserve, guess, clock } = counters({ perUser: limit(1) }, new MemoryStore());
    await guess('ada', '198.51.100.1');
    void attempts.storeLostData();
    await clock.advance(499);
    expect(await tryToReserve('ada', '192.0.2.1')).toBeUndefined();
    await clock.advance(1);
    await expect(tryToReserve('ada', '192.0.2.1')).rejects.toMatchObject({ code: 'store_unavailable' });
    await clock.advance(2_499);
    await expect(tryToReserve('ada', '192.0.2.1')).rejects.toMatchObject({ code: 'store_unavailable' });
    await clock.advance(1);
    await expect(tryToReserve('ada', '192.0.2.1')).rejects.toMatchObject({ code: 'too_many_attempts' });
  });

  it('I5 · without a store, is refused unless the address is trusted here', async () => {
    const { reserve, guess, refusesLockedOut } = counters({ perUser: limit(1) });
    await (await reserve('ada', '192.0.2.1')).succeeded();
    await guess('ada', '198.51.100.1');
    expect(['192.0.2.1', '192.0.2.2'].map((address) => refusesLockedOut('ada', address))).toEqual([false, true]);
  });

  it('D3 · a 429 counts as a failure of the user name, and not of the address', async () => {
    const { reserve, guess } = counters({ perUser: limit(2), perAddress: limit(1) });
    await (await reserve('ada', '192.0.2.1')).refundAddress();
    await (await reserve('ada', '192.0.2.1')).refundAddress();
    expect([await guess('ada', '192.0.2.1'), await guess('bob', '192.0.2.1')]).toEqual([60_000, 0]);
  });

  it('I8 · empty credentials are counted in this process only, and without an address not at all', async () => {
    const store = new MemoryStore();
    const limits = { perUser: limit(5), perAddress: limit(2) };
    const { attempts, guess } = counters(limits, store);
    const { guess: guessElsewhere } = counters(limits, store);
    const empty = (address?: string) => attempts.reserveEmpty({ scheme: 'Basic', username: 'ada', address });
    for (let i = 0; i < 10; i++) await empty().failed();
    await empty('192.0.2.1').refund();
    await empty('192.0.2.1').failed();
    expect(await guess('ada', '192.0.2.1')).toBe(0);
    expect(() => empty('192.0.2.1')).toThrow('perAddress');
    expect(await guess('bob', '192.0.2.1')).toBe(60_000);
    expect(await guessElsewhere('bob', '192.0.2.1')).toBe(0);
  });
});
