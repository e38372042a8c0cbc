import { describe, expect, it, jest } from '@jest/globals';
import { ManualClock, MemoryStore } from 'nestjs-xpay-auth/testing';
import { Principal } from '../core/principal.js';
import { RevocationLog } from './revocation-log.js';
import { SharedCredentials } from './shared-credentials.js';

const nothing = (): void => undefined;

async function start() {
  const clock = new ManualClock();
  const store = new MemoryStore(clock);
  const log = new RevocationLog({ store, clock, scope: 'xpay', onUser: nothing, onEverybody: nothing });
  await log.catchUp();
  const issuer = Symbol('issuer');
  const shared = new SharedCredentials({
    store,
    log,
    clock,
    instance: 'default',
    dialect: 'xpay',
    baseUrl: 'https://upstream.example.test',
    issuer,
  });
  const facts = { username: 'ada', scopes: [], isAPI: false, expiresAt: undefined, instance: 'default' };
  const presented = { by: { scheme: 'Basic' }, credentials: { username: 'ada', secretKey: 'k' }, key: 'key' };
  const verified = {
    principal: new Principal(facts, issuer),
    mark: shared.mark(),
    upstreamToken: undefined,
    periodMs: 60_000,
    endsAt: Infinity,
  };
  const remember = (ageMs = 0): void =>
    shared.remember(presented, { ...verified, checkedAt: clock.monotonic() - ageMs });
  const recalls = async (): Promise<boolean> => (await shared.recall(presented)) !== undefined;
  return { clock, store, shared, presented, remember, recalls, [Symbol.asyncDispose]: () => log.stop() };
}

describe('SharedCredentials', () => {
  it('I6 · does not accept what was verified before this instance received a rejection, also if the store kept it', async () => {
    await using stage = await start();
    const { clock, store, shared, presented, remember, recalls } = stage;
    remember();
    await clock.advance(1_000);
    expect(await recalls()).toBe(true);
    jest.spyOn(store, 'discard').mockRejectedValueOnce(new Error('the store is away'));
    shared.refused(presented, 60_000);
    expect(await recalls()).toBe(false);
    await clock.advance(1_000);
    remember();
    expect(await recalls()).toBe(true);
  });

  it('I1 · does not write credentials to the store whose period ended before the upstream answered', async () => {
    await using stage = await start();
    const { store, remember } = stage;
    const write = jest.spyOn(store, 'write');
    remember(60_000);
    expect(write).not.toHaveBeenCalled();
    remember(59_999);
    expect(write).toHaveBeenCalledTimes(1);
  });
});
