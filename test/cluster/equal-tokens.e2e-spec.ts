import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { XPayAuthError } from 'nestjs-xpay-auth';
import { redisStore } from 'nestjs-xpay-auth/redis';
import { ManualClock, MemoryStore, type XPayEmulator, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { ADA, APP, type Instance, InstanceFactory } from '../support/cluster.js';
import { pumped } from '../support/pumped.js';
import { PATIENT } from '../support/redis-clients.js';
import { RedisServer } from '../support/redis-server.js';
import { settled } from '../support/settled.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';

const ROUNDS = 1_000;
const REJECTED = 'invalid_token';

let redis: RedisServer;
let xpay: XPayEmulator;
/** The clock of the instances. */
let clock: ManualClock;
/** The clock of the upstream. Within one second of it, every login of a user gets the same token. */
let upstreamClock: ManualClock;
let instances: InstanceFactory;

beforeAll(async () => {
  redis = await RedisServer.start();
});
afterAll(() => redis[Symbol.asyncDispose]());
beforeEach(async () => {
  await redis.client.flushall();
  clock = new ManualClock();
  upstreamClock = new ManualClock();
  xpay = await startXPayEmulator({ accounts: [APP, ADA], clock: upstreamClock, equalTokensWithinASecond: true });
  instances = new InstanceFactory(xpay, redis.url, { clock, session: { token: 'upstream' } });
});
afterEach(() => xpay[Symbol.asyncDispose]());

const nextSecond = (): void => upstreamClock.stepWall(1_000);

/** Logs Ada in. Returns the token. */
async function login(instance: Instance | undefined): Promise<string> {
  const session = await instance?.sessions.login(ADA);
  return session?.accessToken ?? '';
}

/** Returns the result that each instance has for this token. */
const answers = (all: readonly Instance[], token: string): Promise<string[]> =>
  Promise.all(all.map(({ who }) => who(`Bearer ${token}`)));

/** Asserts that all instances return the same result. */
const all3 = (answer: string): string[] => [answer, answer, answer];

async function three(): Promise<{ a: Instance; b: Instance; c: Instance; all: Instance[] } & AsyncDisposable> {
  const [a, b, c] = await Promise.all([instances.boot(), instances.boot(), instances.boot()]);
  const dispose = async (): Promise<void> => void (await Promise.all([a.close(), b.close(), c.close()]));
  return { a, b, c, all: [a, b, c], [Symbol.asyncDispose]: dispose };
}

describe('equal upstream tokens on several instances, sharing a Redis', () => {
  it(`D6 · a logout on either instance ends the session on both within a second, in ${ROUNDS} of ${ROUNDS} rounds`, async () => {
    await using one = await instances.boot();
    await using other = await instances.boot();
    let survivors = 0;
    for (let round = 0; round < ROUNDS; round++) {
      nextSecond();
      const [first, second] = round % 2 === 0 ? [one, other] : [other, one];
      const token = await login(first);
      expect(await login(second)).toBe(token);
      await (round % 4 < 2 ? first : second).sessions.logout(token);
      await clock.advance(1_000);
      const accepted = (await answers([one, other], token)).some((answer) => answer !== REJECTED);
      if (accepted) survivors++;
    }
    expect(survivors).toBe(0);
  }, 120_000);

  it('D6 · a logout on an instance that issued no session ends those of all others', async () => {
    await using stage = await three();
    const { a, b, c, all } = stage;
    for (const knowsIt of [false, true]) {
      nextSecond();
      const token = await login(a);
      expect(await login(b)).toBe(token);
      if (knowsIt) expect(await answers(all, token)).toEqual(all3(ADA.username));
      await c.sessions.logout(token);
      await clock.advance(1_000);
      expect(await answers(all, token)).toEqual(all3(REJECTED));
    }
  });

  it('D6 · a login after the logout is accepted on every instance, although the upstream reissues the token', async () => {
    await using stage = await three();
    const { all } = stage;
    const token = await login(stage.a);
    for (const leaving of all) {
      for (const joining of all) {
        await leaving.sessions.logout(token);
        expect(await login(joining)).toBe(token);
        expect(await answers(all, token)).toEqual(all3(ADA.username));
        await clock.advance(1_000);
        expect(await answers(all, token)).toEqual(all3(ADA.username));
      }
    }
  });

  it('D6 · a login that is still at the upstream is not ended by a logout of the same token', async () => {
    await using stage = await three();
    const { a, b, all } = stage;
    const token = await login(a);
    xpay.faults.next({ kind: 'delay', ms: 500, processed: true });
    const asked = xpay.requests();
    const underWay = login(b);
    await xpay.waitForRequests(asked + 1);
    await a.sessions.logout(token);
    await clock.advance(1_000);
    expect(await answers(all, token)).toEqual(all3(REJECTED));
    await upstreamClock.advance(500);
    expect(await underWay).toBe(token);
    for (let second = 0; second < 2; second++) {
      expect(await answers(all, token)).toEqual(all3(ADA.username));
      await clock.advance(1_000);
    }
  });

  it('D6 · a login and a logout at once leave one answer on all instances, and the next ones hold', async () => {
    await using stage = await three();
    const { a, b, c, all } = stage;
    for (let round = 0; round < 100; round++) {
      nextSecond();
      const token = await login(a);
      await pumped(clock, Promise.all([login(b), a.sessions.logout(token), login(c)]));
      await clock.advance(1_000);
      expect(new Set(await answers(all, token)).size).toBe(1);
      await c.sessions.logout(token);
      await clock.advance(1_000);
      expect(await answers(all, token)).toEqual(all3(REJECTED));
      expect(await login(a)).toBe(token);
      await clock.advance(1_000);
      expect(await answers(all, token)).toEqual(all3(ADA.username));
    }
  });

  it('D6 · logins of one user at once on all instances are all accepted after a logout', async () => {
    await using stage = await three();
    const { a, all } = stage;
    const token = await login(a);
    for (let round = 0; round < 20; round++) {
      await a.sessions.logout(token);
      await pumped(clock, Promise.all([...all, ...all].map((instance) => login(instance))));
      expect(await answers(all, token)).toEqual(all3(ADA.username));
      await clock.advance(1_000);
      expect(await answers(all, token)).toEqual(all3(ADA.username));
    }
  });

  it('D6 · a logout during an outage ends the session everywhere once the store is back, and no later login', async () => {
    await using proxy = await TcpProxy.before(redis.port);
    await using cut = await instances.boot({}, proxy.url);
    await using other = await instances.boot();
    const token = await login(cut);
    expect(await login(other)).toBe(token);
    proxy.cut();
    await until(() => cut.store.status().state === 'away', 'the store is away');
    await expect(cut.sessions.logout(token)).rejects.toMatchObject({ code: 'store_unavailable' });
    proxy.heal();
    await until(() => cut.store.status().state === 'ready', 'the store is back');
    await until(async () => {
      await clock.advance(1_000);
      return (await other.who(`Bearer ${token}`)) === REJECTED;
    }, 'the other instance rejects the token');
    expect(await login(other)).toBe(token);
    for (let second = 0; second < 3; second++) {
      expect(await answers([cut, other], token)).toEqual([ADA.username, ADA.username]);
      await clock.advance(1_000);
    }
  });

  it('D6 · a logout whose answers are lost is repeated without ending a later login', async () => {
    const { encryptionKeys } = instances;
    const store = redisStore({ url: redis.url, encryptionKeys, ...PATIENT });
    await using one = await instances.boot({ store });
    await using other = await instances.boot();
    for (const joining of [one, other]) {
      const token = await login(one);
      const discard = store.discard.bind(store);
      store.discard = async (...given) => {
        await discard(...given);
        throw new XPayAuthError('store_unavailable', 'the response was lost');
      };
      await expect(one.sessions.logout(token)).rejects.toMatchObject({ code: 'store_unavailable' });
      expect(await login(joining)).toBe(token);
      expect(await joining.who(`Bearer ${token}`)).toBe(ADA.username);
      store.discard = discard;
      for (let second = 0; second < 3; second++) {
        await clock.advance(1_000);
        expect(await joining.who(`Bearer ${token}`)).toBe(ADA.username);
      }
      expect(await answers([one, other], token)).toEqual([ADA.username, ADA.username]);
      nextSecond();
    }
  });
});

describe('equal upstream tokens and session.idleMs', () => {
  it('D6 I10 · a login is idle from its own last use, not from that of an earlier login', async () => {
    const options = { store: new MemoryStore(clock), session: { token: 'upstream', idleMs: 10_000 } } as const;
    await using all = await instances.bootMany(2, options);
    const [one, other] = all;
    const token = await login(one);
    await clock.advance(9_500);
    for (const leaves of [false, true]) {
      if (leaves) await one?.sessions.logout(token);
      expect(await login(other)).toBe(token);
      await clock.advance(9_500);
      expect(await answers(all, token)).toEqual([ADA.username, ADA.username]);
      await clock.advance(9_500);
    }
    await clock.advance(500);
    expect(await answers(all, token)).toEqual([REJECTED, REJECTED]);
  });
});

describe('equal upstream tokens and an instance that is suspended during a login', () => {
  it('D6 · if it died, the next login with the same token waits until its lease expires', async () => {
    const store = new MemoryStore(clock);
    const [acquire, write] = [store.acquire.bind(store), store.write.bind(store)];
    let waiting = 0;
    store.acquire = async (...given) => {
      const lease = await acquire(...given);
      if (lease.kind === 'acquired') return { ...lease, release: () => Promise.resolve() };
      waiting++;
      return lease;
    };
    store.write = () => Promise.reject(new XPayAuthError('store_unavailable', 'cut off'));
    await using all = await instances.bootMany(2, { store });
    await expect(login(all[0])).rejects.toMatchObject({ code: 'store_unavailable' });
    store.write = write;
    const underWay = login(all[1]);
    await settled(() => waiting > 0);
    await clock.advance(2_000);
    const token = await underWay;
    for (let second = 0; second < 2; second++) {
      expect(await answers(all, token)).toEqual([ADA.username, ADA.username]);
      await clock.advance(1_000);
    }
  });

  it('D6 · a login that takes longer than its lease is accepted when it completes after a logout', async () => {
    const store = new MemoryStore(clock);
    const write = store.write.bind(store);
    const late: (() => void)[] = [];
    store.write = async (...given) => {
      store.write = write;
      await new Promise<void>((resolve) => late.push(resolve));
      return write(...given);
    };
    await using all = await instances.bootMany(2, { store });
    const underWay = login(all[0]);
    await settled(() => late.length > 0);
    await clock.advance(2_000);
    const token = await login(all[1]);
    await all[1]?.sessions.logout(token);
    late[0]?.();
    expect(await underWay).toBe(token);
    for (let second = 0; second < 2; second++) {
      expect(await answers(all, token)).toEqual([ADA.username, ADA.username]);
      await clock.advance(1_000);
    }
  });
});
