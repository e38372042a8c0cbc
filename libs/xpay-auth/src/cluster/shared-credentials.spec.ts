import { describe, expect, it, jest } from '@jest/globals';
import { ManualClock, MemoryStore } from 'nestjs-xpay-auth/testing';
import { Principal } from '../core/principal.js';
import { RevocationLog } from './revocation-log.js';
import { SharedCredentials } from './shared-credentials.js';

const nothing = (): void => undefined;

describe('SharedCredentials', () => {
  it('I6 · does not accept what was verified before this instance received a rejection, also if the store kept it', async () => {
    const clock = new ManualClock();
    const store = new MemoryStore(clock);
    const log = new RevocationLog({ store, clock, scope: 'xpay', onUser: nothing, onEverybody: nothing });
    await log.catchUp();
    const issuer = Symbol('issuer');
    const shared = new SharedCredentials({ store, log, clock, instance: 'default', issuer });
    const facts = { username: 'ada', scopes: [], isAPI: false, expiresAt: undefined, instance: 'default' };
    const verified = { principal: new Principal(facts, issuer), mark: shared.mark(), periodMs: 60_000, ageMs: 0 };
    const recalls = async (): Promise<boolean> => (await shared.recall('id', 'key')) !== undefined;

    shared.remember('id', { ...verified, vouchedMs: undefined });
    await clock.advance(1_000);
    expect(await recalls()).toBe(true);
    jest.spyOn(store, 'discard').mockRejectedValueOnce(new Error('the store is away'));
    shared.refused('id', 'key', 60_000);
    expect(await recalls()).toBe(false);
    await clock.advance(1_000);
    shared.remember('id', { ...verified, vouchedMs: undefined });
    expect(await recalls()).toBe(true);
    await log.stop();
  });
});
