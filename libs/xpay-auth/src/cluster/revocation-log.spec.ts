import { describe, expect, it, jest } from '@jest/globals';
import { ManualClock, MemoryStore } from 'nestjs-xpay-auth/testing';
import type { LogPage } from '../core/store.js';
import { RevocationLog } from './revocation-log.js';

const nobody = (): void => undefined;

describe('RevocationLog', () => {
  it('C3 · an old copy that is brought back between two reads is noticed too', async () => {
    const clock = new ManualClock();
    const store = new MemoryStore(clock);
    const onEverybody = jest.fn();
    const log = new RevocationLog({ store, clock, scope: 'xpay', onUser: () => undefined, onEverybody });
    await log.catchUp();
    const before = log.position();
    await log.revokeUser('ada');
    expect(log.ended(before, log.indexOf('ada'))).toBe(true);

    // Emptied, looked at, and then as it was before the revocation.
    const empty: LogPage = { epoch: 'after the flush', newest: 0, oldest: 1, records: [] };
    const old: LogPage = { epoch: before.epoch, newest: 0, oldest: 1, records: [] };
    const renewed = jest.spyOn(store, 'renewEpoch');
    jest.spyOn(store, 'readLog').mockResolvedValueOnce(empty).mockResolvedValueOnce(old).mockResolvedValue(empty);
    await log.catchUp();

    expect(renewed).toHaveBeenCalledWith('xpay', before.epoch);
    expect(log.ended(before, log.indexOf('ada'))).toBe(true);
    expect(onEverybody).toHaveBeenCalledTimes(1);
    await log.stop();
  });

  it('I10 C5 · a revocation holds here from the moment it is asked for, however long the store takes', async () => {
    const clock = new ManualClock();
    const store = new MemoryStore(clock);
    const log = new RevocationLog({ store, clock, scope: 'xpay', onUser: nobody, onEverybody: nobody });
    await log.catchUp();
    const before = log.position();
    store.goAway();
    await expect(log.revokeUser('ada')).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(log.ended(before, log.indexOf('ada'))).toBe(true);
    expect(log.ended(before, log.indexOf('bob'))).toBe(false);
    store.comeBack();
    await clock.advance(1_000);
    expect(log.ended(before, log.indexOf('ada'))).toBe(true);
    expect(log.ended(log.position(), log.indexOf('ada'))).toBe(false);
    await log.stop();
  });

  it('I10 C5 · two revocations of a user that wait for the store hold until both are recorded, and no longer', async () => {
    const clock = new ManualClock();
    const store = new MemoryStore(clock);
    const log = new RevocationLog({ store, clock, scope: 'xpay', onUser: nobody, onEverybody: nobody });
    await log.catchUp();
    store.goAway();
    for (let i = 0; i < 2; i++) await expect(log.revokeUser('ada')).rejects.toThrow();
    expect(log.ended(log.position(), log.indexOf('ada'))).toBe(true);
    store.comeBack();
    await clock.advance(1_000);
    await clock.advance(1_000);
    expect(log.ended(log.position(), log.indexOf('ada'))).toBe(false);
    await log.stop();
  });

  it('C5 · notifies other instances of a revocation, not the one that made it: a login may have followed there', async () => {
    const clock = new ManualClock();
    const store = new MemoryStore(clock);
    const [here, there] = [jest.fn(), jest.fn()];
    const parts = { store, clock, scope: 'xpay', onEverybody: nobody };
    const one = new RevocationLog({ ...parts, onUser: here });
    const other = new RevocationLog({ ...parts, onUser: there });
    await one.catchUp();
    await other.catchUp();
    await one.revokeUser('ada');
    await other.catchUp();
    expect([here.mock.calls, there.mock.calls]).toEqual([[], [['ada']]]);
    for (const log of [one, other]) await log.stop();
  });

  it('C5 · after more revocations than it keeps for an unavailable store, revokes all users on all instances', async () => {
    const clock = new ManualClock();
    const store = new MemoryStore(clock);
    const onEverybody = jest.fn();
    const one = new RevocationLog({ store, clock, scope: 'xpay', onUser: nobody, onEverybody: nobody });
    const other = new RevocationLog({ store, clock, scope: 'xpay', onUser: nobody, onEverybody });
    await one.catchUp();
    await other.catchUp();
    store.goAway();
    for (let i = 0; i <= 1_000; i++) await one.revokeUser(`user-${i}`).catch(() => undefined);
    store.comeBack();
    await one.catchUp();
    await other.catchUp();
    expect(onEverybody).toHaveBeenCalledTimes(1);
    for (const log of [one, other]) await log.stop();
  });
});
