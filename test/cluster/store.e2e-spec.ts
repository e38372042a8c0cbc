import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { redisStore } from 'nestjs-xpay-auth/redis';
import { ManualClock, MemoryStore, startXPayEmulator, storeContract } from 'nestjs-xpay-auth/testing';
import { APP, InstanceFactory, logins } from '../support/cluster.js';
import { createClient, createClientPool } from 'redis';
import { newKey } from '../support/encryption-keys.js';
import { CLIENTS, PATIENT } from '../support/redis-clients.js';
import { RedisServer } from '../support/redis-server.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';

let redis: RedisServer;

beforeAll(async () => {
  redis = await RedisServer.start();
});

afterAll(() => redis[Symbol.asyncDispose]());

const token = { kind: 'token', id: 'the account ada@example.test' } as const;

describe('the contract of a store', () => {
  for (const { title, run } of storeContract('in memory', () => {
    const store = new MemoryStore();
    return { open: () => store, stop: () => undefined };
  })) {
    it(title, run);
  }

  for (const { title, run } of storeContract('in Redis', async () => {
    await redis.client.flushall();
    const encryptionKeys = [{ id: 'k1', key: newKey() }];
    return { open: () => redisStore({ url: redis.url, encryptionKeys, ...PATIENT }), stop: () => undefined };
  })) {
    it(title, run);
  }
});

describe.each(Object.entries(CLIENTS))('the contract with %s', (name, connect) => {
  for (const { title, run } of storeContract(name, async () => {
    await redis.client.flushall();
    const opened: AsyncDisposable[] = [];
    const open = () => {
      const store = connect(redis.port, PATIENT);
      opened.push(store);
      return store;
    };
    return { open, stop: () => Promise.all(opened.map((store) => store[Symbol.asyncDispose]())) };
  })) {
    it(title, run);
  }
});

it.each([
  ['the options of one', { host: '127.0.0.1' }],
  ['a pool of node-redis', createClientPool()],
  ['nothing', null],
])('a client that is %s is refused, and the message names those that are accepted', (_, client) => {
  const encryptionKeys = [{ id: 'k1', key: newKey() }];
  const open = (): unknown => redisStore({ client: client as unknown as Redis, encryptionKeys });
  expect(open).toThrow(/^redisStore client: expected .*ioredis.*createClient\(\)/);
});

describe('S3 · the contract with a client that returns numbers as strings', () => {
  for (const { title, run } of storeContract('stringNumbers', async () => {
    await redis.client.flushall();
    const encryptionKeys = [{ id: 'k1', key: newKey() }];
    const redisOptions = { stringNumbers: true };
    return {
      open: () => redisStore({ url: redis.url, encryptionKeys, redisOptions, ...PATIENT }),
      stop: () => undefined,
    };
  })) {
    it(title, run);
  }

  it('getToken() obtains a token', async () => {
    await redis.client.flushall();
    const client = new Redis(redis.port, '127.0.0.1', { stringNumbers: true });
    await using xpay = await startXPayEmulator({ accounts: [APP] });
    await using one = await new InstanceFactory(xpay, '').boot({
      store: redisStore({ client, encryptionKeys: [{ id: 'k1', key: newKey() }], ...PATIENT }),
    });
    await one.tokens.getToken();
    expect(logins(xpay)).toBe(1);
    client.disconnect();
  });
});

const open = (encryptionKeys: string): ReturnType<typeof redisStore> =>
  redisStore({ url: redis.url, encryptionKeys, ...PATIENT });
const entryKeys = (): Promise<string[]> => redis.client.keys('xpay:*:e');

describe('C4 · tampering with the values in Redis', () => {
  const k1 = newKey();

  it('B9 · neither names nor values reveal their content', async () => {
    await redis.client.flushall();
    await using store = disposable(open(`k1:${k1}`));
    await store.write(token, { value: 'a secret value', generation: 1, lifeMs: 60_000 });
    await store.append('log', { index: store.indexOf('ada@example.test'), value: 'ada@example.test' });
    await store.count('attempts of ada@example.test', 60_000);
    const seen: string[] = [];
    for (const key of await redis.client.keys('*')) {
      const dump = await redis.client.dumpBuffer(key);
      seen.push(key, dump.toString('latin1'));
    }
    expect(seen.length).toBeGreaterThan(4);
    expect(seen.join('\n')).not.toMatch(/ada|example|secret|account/);
    expect(seen.join('\n')).not.toContain(k1);
  });

  it('B15 · an edited value is a miss and is counted', async () => {
    await redis.client.flushall();
    await using store = disposable(open(`k1:${k1}`));
    await store.write(token, { value: 'mine', generation: 1, lifeMs: 60_000 });
    const [key = ''] = await entryKeys();
    const sealed = (await redis.client.hget(key, 'v')) ?? '';
    const flipped = sealed.at(-5) === 'A' ? 'B' : 'A';
    await redis.client.hset(key, 'v', sealed.slice(0, -5) + flipped + sealed.slice(-4));
    expect(await store.read(token)).toBeUndefined();
    expect(store.status().unreadable).toBe(1);
    await redis.client.hset(key, 'v', sealed);
    expect((await store.read(token))?.value).toBe('mine');
    for (const rubbish of ['', 'x', 'v1', 'v1.k1.', 'v1.k1.AAAA', 'v2' + sealed.slice(2), `${sealed}.x`]) {
      await redis.client.hset(key, 'v', rubbish);
      expect(await store.read(token)).toBeUndefined();
    }
  });

  it('B15 · a value under another key, or of another kind or generation, is a miss', async () => {
    await redis.client.flushall();
    await using store = disposable(open(`k1:${k1}`));
    const names = [token, { kind: 'token', id: 'another' }, { kind: 'session', id: token.id }] as const;
    const keys: string[] = [];
    for (const name of names) {
      await store.write(name, { value: `of ${name.kind} ${name.id}`, generation: 1, lifeMs: 60_000 });
      keys.push(...(await entryKeys()).filter((key) => !keys.includes(key)));
    }
    const [own = '', ...others] = keys;
    const sealed = await redis.client.hget(own, 'v');
    for (const other of others) await redis.client.hset(other, 'v', sealed ?? '');
    expect(await store.read(names[1])).toBeUndefined();
    expect(await store.read(names[2])).toBeUndefined();
    await redis.client.hset(own, 'g', '2');
    expect(await store.read(token)).toBeUndefined();
    expect(store.status().unreadable).toBe(3);
  });

  it('C4 · a replayed value is rejected by an instance that has read a newer one or discarded it', async () => {
    await redis.client.flushall();
    await using store = disposable(open(`k1:${k1}`));
    await store.write(token, { value: 'old', generation: 1, lifeMs: 60_000 });
    const [key = ''] = await entryKeys();
    const old = await redis.client.hgetall(key);
    await store.write(token, { value: 'new', generation: 2, lifeMs: 60_000 });
    expect((await store.read(token))?.value).toBe('new');
    await redis.client.hset(key, old);
    expect(await store.read(token)).toBeUndefined();
    await store.write(token, { value: 'newest', generation: 3, lifeMs: 60_000 });
    const newest = await redis.client.hgetall(key);
    await store.discard(token, 3, 60_000);
    await redis.client.hset(key, newest);
    expect(await store.read(token)).toBeUndefined();
  });

  it('C4 · keys rotate in two steps without a flush, and a retired key decrypts nothing', async () => {
    await redis.client.flushall();
    const k2 = newKey();
    await using before = disposable(open(`k1:${k1}`));
    await before.write(token, { value: 'sealed by k1', generation: 1, lifeMs: 60_000 });
    await before.append('log', { index: before.indexOf('ada'), value: 'ada' });
    await using taught = disposable(open(`k1:${k1},k2:${k2},index:${k1}`));
    await using sealing = disposable(open(`k2:${k2},k1:${k1},index:${k1}`));
    expect((await sealing.read(token))?.value).toBe('sealed by k1');
    const session = { kind: 'session', id: 's' } as const;
    await sealing.write(session, { value: 'sealed by k2', generation: 1, lifeMs: 60_000 });
    // While the second step is deployed, an instance at the first step can still read everything.
    expect((await taught.read(session))?.value).toBe('sealed by k2');
    await using after = disposable(open(`k2:${k2},index:${k1}`));
    expect((await after.read(session))?.value).toBe('sealed by k2');
    expect(await after.read(token)).toBeUndefined();
    expect(after.status().unreadable).toBe(1);
    // An earlier revocation is still found, because its name did not change.
    const { records } = await after.readLog('log', 0);
    expect(records).toEqual([{ position: 1, index: after.indexOf('ada'), value: undefined }]);
    expect(after.indexOf('ada')).toBe(before.indexOf('ada'));
  });

  it('C4 · a rotation that would lose revocations is rejected, and the message names the key to keep', async () => {
    await redis.client.flushall();
    await using before = disposable(open(`k1:${k1}`));
    await before.append('log', { index: before.indexOf('ada'), value: 'ada' });
    await using wrong = disposable(open(`k2:${newKey()}`));
    const notices: unknown[] = [];
    wrong.onNotice((notice) => notices.push(notice));
    await expect(wrong.readLog('log', 0)).rejects.toMatchObject({ code: 'store_unavailable' });
    await expect(wrong.readLog('log', 0)).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(notices).toEqual([{ type: 'warning', message: expect.stringContaining('index:<its base64>') }]);
  });

  it.each([
    ['no key', []],
    ['an empty string', ''],
    ['a short key', 'k1:c2hvcnQ='],
    ['no base64', 'k1:***'],
    ['no id', newKey()],
    ['zeros', [{ id: 'k1', key: new Uint8Array(32) }]],
    ['one id twice', `k1:${newKey()},k1:${newKey()}`],
  ])('the boot is rejected with %s, and the message explains how to create a key', (_, encryptionKeys) => {
    const refusal = (): unknown => redisStore({ url: redis.url, encryptionKeys, ...PATIENT });
    expect(refusal).toThrow(/XPAY_ENCRYPTION_KEYS.*randomBytes\(32\)/);
    if (typeof encryptionKeys === 'string' && encryptionKeys.length > 8) {
      expect(refusal).not.toThrow(new RegExp(encryptionKeys.slice(3, 20).replace(/[+*/]/g, '.')));
    }
  });

  it('rejects a url that is not for Redis without printing its password, and anything but exactly one server', () => {
    const encryptionKeys = `k1:${k1}`;
    expect(() => redisStore({ url: 'http://user:hunter2@127.0.0.1', encryptionKeys })).toThrow(
      /^(?!.*hunter2).*redis:\/\//,
    );
    expect(() => redisStore({ encryptionKeys })).toThrow(/exactly one/);
    expect(() => redisStore({ url: redis.url, cluster: [], encryptionKeys })).toThrow(/exactly one/);
  });
});

describe('C3 · an unreachable Redis', () => {
  const encryptionKeys = [{ id: 'k1', key: newKey() }];

  it('costs one deadline, then nothing until Redis is back, with one notice each', async () => {
    await using proxy = await TcpProxy.before(redis.port);
    const clock = new ManualClock();
    await using store = disposable(redisStore({ url: proxy.url, encryptionKeys, commandTimeoutMs: 200, clock }));
    const notices: string[] = [];
    store.onNotice(({ type }) => notices.push(type));
    await store.read(token);
    proxy.blackHole();
    let outcome = 'waiting';
    const asked = store.read(token).catch((failure: { code: string }) => (outcome = failure.code));
    await clock.advance(199);
    expect(outcome).toBe('waiting');
    await clock.advance(1);
    await asked;
    expect(outcome).toBe('store_unavailable');
    // No caller waits now, and no command is sent: the clock stands still.
    const heard = proxy.heard.length;
    const failures = await Promise.allSettled(Array.from({ length: 1_000 }, () => store.read(token)));
    expect(failures.every(({ status }) => status === 'rejected')).toBe(true);
    expect(proxy.heard.length).toBe(heard);
    expect(store.status()).toMatchObject({ state: 'away' });
    proxy.heal();
    await until(async () => {
      await clock.advance(1_000);
      return store.status().state === 'ready';
    }, 'the store is back');
    await store.read(token);
    expect(notices).toEqual(['away', 'back']);
  });

  it('a server that accepts no more connections is named as the reason, if the client reports it', async () => {
    await using full = await RedisServer.start();
    // The connection of the test is the only one that the server accepts.
    await full.client.config('SET', 'maxclients', '1');
    await using store = disposable(redisStore({ client: createClient({ url: full.url }), encryptionKeys }));
    await expect(store.read(token)).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(store.status()).toMatchObject({ state: 'away', reason: 'ERR max number of clients reached' });
  });

  it('a cut connection is detected at once', async () => {
    await using proxy = await TcpProxy.before(redis.port);
    await using store = disposable(redisStore({ url: proxy.url, encryptionKeys }));
    await store.read(token);
    proxy.cut();
    await until(() => store.status().state === 'away', 'the cut is detected');
    proxy.heal();
    await until(() => store.status().state === 'ready', 'the store is back');
    await store.read(token);
  });

  it('an instance that boots without Redis continues without it, and connects when it is available', async () => {
    await using proxy = await TcpProxy.before(redis.port);
    proxy.cut();
    await using store = disposable(redisStore({ url: proxy.url, encryptionKeys }));
    await expect(store.read(token)).rejects.toMatchObject({ code: 'store_unavailable' });
    proxy.heal();
    await until(() => store.status().state === 'ready', 'the store is there');
    expect(await store.read(token)).toBeUndefined();
  });

  it('a lease that was granted too late is released', async () => {
    await redis.client.flushall();
    await using proxy = await TcpProxy.before(redis.port);
    await using store = disposable(redisStore({ url: proxy.url, encryptionKeys, commandTimeoutMs: 100 }));
    await using other = disposable(redisStore({ url: redis.url, encryptionKeys }));
    await store.read(token);
    proxy.delayMs = 300;
    await expect(store.acquire(token, 60_000)).rejects.toMatchObject({ code: 'store_unavailable' });
    proxy.delayMs = 0;
    await until(async () => (await other.acquire(token, 60_000)).kind === 'acquired', 'the lease is free');
  });

  it('a full Redis still returns its values and still discards entries', async () => {
    await using full = await RedisServer.start('--maxmemory', '2mb', '--maxmemory-policy', 'noeviction');
    await using store = disposable(redisStore({ url: full.url, encryptionKeys }));
    const notices: unknown[] = [];
    store.onNotice((notice) => notices.push(notice));
    await store.write(token, { value: 'kept', generation: 1, lifeMs: 60_000 });
    await full.client.config('SET', 'maxmemory', '1');
    await expect(store.acquire(token, 1_000)).rejects.toMatchObject({ code: 'store_unavailable' });
    await expect(store.count('guesses', 1_000)).rejects.toMatchObject({ code: 'store_unavailable' });
    expect((await store.read(token))?.value).toBe('kept');
    await store.discard(token, 1, 60_000);
    expect(await store.read(token)).toBeUndefined();
    expect(store.status().state).toBe('ready');
    expect(notices).toEqual([{ type: 'warning', message: expect.stringContaining('refuses writes') }]);
  });

  it('warns about a Redis that evicts when it is full', async () => {
    await using evicting = await RedisServer.start('--maxmemory-policy', 'allkeys-lru');
    await using store = disposable(redisStore({ url: evicting.url, encryptionKeys }));
    const notices: unknown[] = [];
    store.onNotice((notice) => notices.push(notice));
    await until(() => notices.length > 0, 'a warning');
    expect(notices).toEqual([{ type: 'warning', message: expect.stringContaining('noeviction') }]);
  });

  it('closes only a connection that it opened', async () => {
    const client = new Redis(redis.port, '127.0.0.1');
    const store = redisStore({ client, encryptionKeys });
    await store.read(token);
    await store.close();
    expect(await client.ping()).toBe('PONG');
    client.disconnect();
  });
});

/** `await using`: closed at the end of the test, however it ends. */
function disposable<T extends { close(): Promise<void> }>(store: T): T & AsyncDisposable {
  return Object.assign(store, { [Symbol.asyncDispose]: () => store.close() });
}
