import { describe, expect, it } from '@jest/globals';
import { ManualClock } from '../testing/emulators/manual-clock.js';
import { MemoryStore } from '../testing/kit/memory-store.js';
import { AttemptCounter, type Reservation } from './attempt-counter.js';

const limit = (attempts: number, windowMs = 60_000) => ({ attempts, windowMs });

/** Reserves an attempt. Throws if the limit is reached. */
async function reserve(limiter: AttemptCounter, key: string): Promise<Reservation> {
  const reserved = await limiter.reserve(key);
  if (typeof reserved === 'number') throw new Error(`the limit is reached for ${reserved} ms`);
  return reserved;
}

const fail = async (limiter: AttemptCounter, key: string) => (await reserve(limiter, key)).failed();

describe('AttemptCounter', () => {
  it('I5 · holds a bounded number of keys, and none of a caller who never fails', async () => {
    const clock = new ManualClock();
    const limiter = new AttemptCounter('perUser', limit(1), { clock }, 100);
    for (let i = 0; i < 1_000; i++) await fail(limiter, `key-${i}`);
    expect([limiter.size, limiter.lockedOutMs('key-999'), limiter.lockedOutMs('key-0')]).toEqual([100, 60_000, 0]);

    for (const store of [undefined, new MemoryStore(clock)]) {
      const idle = new AttemptCounter('perUser', limit(1), { clock, store });
      for (let i = 0; i < 50; i++) await (await reserve(idle, `key-${i}`)).refund();
      const open = await reserve(idle, 'key');
      expect([await idle.reserve('key'), idle.size]).toEqual([0, 1]);
      await open.refund();
      expect(idle.size).toBe(0);
    }
    expect(clock.pendingTimers).toBe(0);
  });

  it('I5 · reservations of another instance that turn out right make callers wait, and lock no one out', async () => {
    const clock = new ManualClock();
    const store = new MemoryStore(clock);
    const [one, other] = [1, 2].map(() => new AttemptCounter('perUser', limit(2), { clock, store })) as [
      AttemptCounter,
      AttemptCounter,
    ];
    const open = await Promise.all([reserve(one, 'key'), reserve(one, 'key')]);
    expect([await other.reserve('key'), other.lockedOutMs('key'), other.size]).toEqual([0, 0, 0]);
    await open[0].failed();
    expect([await other.reserve('key'), other.lockedOutMs('key')]).toEqual([0, 0]);
    await open[1].refund();
    await fail(other, 'key');
    expect([await one.reserve('key'), one.lockedOutMs('key'), other.lockedOutMs('key')]).toEqual([
      60_000, 60_000, 60_000,
    ]);
  });

  it('D9 · failures in an outage and failures in the store add up while both windows are open', async () => {
    const clock = new ManualClock();
    const store = new MemoryStore(clock);
    const limiter = new AttemptCounter('perUser', limit(3), { clock, store });
    await fail(limiter, 'key');
    await clock.advance(20_000);
    store.goAway();
    await fail(limiter, 'key');
    store.comeBack();
    await fail(limiter, 'key');
    expect([await limiter.reserve('key'), limiter.lockedOutMs('key')]).toEqual([40_000, 40_000]);
    await clock.advance(40_000);
    expect(limiter.lockedOutMs('key')).toBe(0);
    await fail(limiter, 'key');
    await fail(limiter, 'key');
    expect([await limiter.reserve('key'), limiter.lockedOutMs('key')]).toEqual([20_000, 20_000]);
  });

  it('D9 · the failures of a window that the store has lost stay counted until it would have closed', async () => {
    const clock = new ManualClock();
    const store = new MemoryStore(clock);
    const limiter = new AttemptCounter('perUser', limit(2), { clock, store });
    await fail(limiter, 'key');
    await clock.advance(50_000);
    store.flush();
    await fail(limiter, 'key');
    expect([await limiter.reserve('key'), limiter.lockedOutMs('key')]).toEqual([10_000, 10_000]);
  });

  it('D9 · a failure that the store has not counted as one still uses up the limit', async () => {
    const clock = new ManualClock();
    const store = new MemoryStore(clock);
    const [one, other] = [1, 2].map(() => new AttemptCounter('perUser', limit(1), { clock, store })) as [
      AttemptCounter,
      AttemptCounter,
    ];
    const reserved = await reserve(one, 'key');
    store.goAway();
    await reserved.failed();
    store.comeBack();
    expect([await one.reserve('key'), one.lockedOutMs('key')]).toEqual([60_000, 60_000]);
    expect([await other.reserve('key'), other.lockedOutMs('key')]).toEqual([0, 0]);
  });
});
