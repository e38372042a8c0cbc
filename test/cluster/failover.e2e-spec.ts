import { describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { randomBytes } from 'node:crypto';
import { createSentinel } from 'redis';
import { startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { redisStore } from 'nestjs-xpay-auth/redis';
import { ADA, APP, InstanceFactory } from '../support/cluster.js';
import { newKey } from '../support/encryption-keys.js';
import { CLIENTS, PATIENT, disposable } from '../support/redis-clients.js';
import { RedisServer } from '../support/redis-server.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';

const token = { kind: 'token', id: 'an account' } as const;

/** A primary with its replica, and the address by which apps reach the primary. */
async function pair(): Promise<{ primary: RedisServer; replica: RedisServer; address: TcpProxy } & AsyncDisposable> {
  const primary = await RedisServer.start('--repl-diskless-sync-delay', '0');
  const replica = await RedisServer.start('--replicaof', '127.0.0.1', String(primary.port));
  const address = await TcpProxy.before(primary.port);
  await until(
    async () => (await replica.client.info('replication')).includes('master_link_status:up'),
    'it replicates',
  );
  const dispose = async (): Promise<void> => {
    await address[Symbol.asyncDispose]();
    await replica[Symbol.asyncDispose]();
    await primary[Symbol.asyncDispose]();
  };
  return { primary, replica, address, [Symbol.asyncDispose]: dispose };
}

describe('S1 · a failover keeps the connections to the old primary, which is read-only from then on', () => {
  it.each(Object.entries(CLIENTS))('with %s, logins work again when the new primary answers', async (_, open) => {
    await using servers = await pair();
    const { primary, replica, address } = servers;
    await using store = open(address.port, PATIENT);
    await using xpay = await startXPayEmulator({ accounts: [APP, ADA] });
    await using one = await new InstanceFactory(xpay, '').boot({ store });
    await one.sessions.login(ADA);
    await primary.client.replicaof('127.0.0.1', '1');
    await expect(one.sessions.login(ADA)).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(store.status()).toMatchObject({ state: 'away', reason: 'READONLY' });
    await replica.client.replicaof('NO', 'ONE');
    address.target = replica.port;
    const promotedAt = performance.now();
    await until(async () => (await one.sessions.login(ADA).catch(() => undefined)) !== undefined, 'a login');
    if (process.env['SHOW']) process.stderr.write(`back after ${performance.now() - promotedAt} ms\n`);
    expect(store.status().state).toBe('ready');
    expect(one.lines.filter((line) => line.includes('shared store'))).toEqual([
      expect.stringContaining('is away (READONLY)'),
      expect.stringContaining('is back'),
    ]);
  });

  it.each(Object.entries(CLIENTS))('with %s, a subscription moves to the new primary', async (_, open) => {
    await using servers = await pair();
    const { primary, replica, address } = servers;
    await using store = open(address.port);
    const received: string[] = [];
    store.subscribe('topic', (message) => received.push(message));
    await until(async () => {
      await store.publish('topic', 'before');
      return received.length > 0;
    }, 'a message before');
    // Cut off: a message at the new primary does not reach a subscriber that stays at the old one.
    await primary.client.replicaof('127.0.0.1', '1');
    await replica.client.replicaof('NO', 'ONE');
    address.target = replica.port;
    await using other = open(replica.port);
    await expect(store.write(token, { value: 'v', generation: 1, lifeMs: 60_000 })).rejects.toThrow('READONLY');
    await until(async () => {
      await other.publish('topic', 'after');
      return received.includes('after');
    }, 'a message after');
  });

  it.each(Object.entries(CLIENTS))(
    'with %s, while only a replica answers it is away and asks at most once a second',
    async (_, open) => {
      await using servers = await pair();
      const { replica, address } = servers;
      address.target = replica.port;
      await using store = open(address.port);
      await store.write(token, { value: 'v', generation: 1, lifeMs: 60_000 }).catch(() => undefined);
      await until(() => store.status().reason === 'READONLY', 'away');
      const before = address.connections;
      const startedAt = performance.now();
      await until(() => performance.now() - startedAt > 2_500, 'some probes');
      // The commands and the subscriptions have a connection each.
      expect(address.connections - before).toBeLessThanOrEqual(2 * 3);
      expect(store.status()).toMatchObject({ state: 'away', reason: 'READONLY' });
    },
  );

  it.each(['ioredis', 'node-redis'])('with Sentinel and %s, the client asks for the new primary', async (name) => {
    await using primary = await RedisServer.start('--repl-diskless-sync-delay', '0');
    await using replica = await RedisServer.start('--replicaof', '127.0.0.1', String(primary.port));
    await using sentinel = await RedisServer.startSentinel(primary.port);
    const seeds = [{ host: '127.0.0.1', port: sentinel.port }];
    const ioredis = new Redis({ sentinels: seeds, name: 'primary', lazyConnect: true }).on('error', () => undefined);
    const client = name === 'ioredis' ? ioredis : createSentinel({ name: 'primary', sentinelRootNodes: seeds });
    const encryptionKeys = [{ id: 'k1', key: newKey() }];
    await using store = disposable(redisStore({ client, encryptionKeys }), () => ioredis.disconnect());
    let generation = 1;
    const write = (): Promise<boolean> => store.write(token, { value: 'v', generation: generation++, lifeMs: 60_000 });
    expect(await write()).toBe(true);
    await until(
      async () => (await replica.client.info('replication')).includes('master_link_status:up'),
      'it replicates',
    );
    // It answers NOGOODSLAVE until it knows the replica.
    const failover = (): Promise<unknown> => sentinel.client.call('SENTINEL', 'FAILOVER', 'primary');
    await until(() => failover().then(Boolean, () => false), 'the failover begins');
    // On a busy machine, Sentinel may abort a failover that has begun. A failover in progress refuses another one.
    await until(async () => {
      const [role] = await replica.client.role();
      if (role !== 'master') await failover().catch(() => undefined);
      return role === 'master';
    }, 'the replica is the primary');
    await until(
      async () => (await primary.client.role().catch(() => []))[0] === 'slave',
      'the primary is a replica',
      20_000,
    );
    await until(() => write().catch(() => false), 'a write');
    // A write that was sent to the old primary may still fail after the first success.
    await until(() => store.status().state === 'ready', 'the state ready');
  });
});

describe('S1 · a server that cannot serve yet', () => {
  it.each(Object.entries(CLIENTS))(
    'with %s, a replica without its primary (MASTERDOWN) is away until it is one itself',
    async (_, open) => {
      await using redis = await RedisServer.start('--replica-serve-stale-data', 'no');
      await using store = open(redis.port);
      await store.read(token);
      await redis.client.replicaof('127.0.0.1', '1');
      await expect(store.read(token)).rejects.toMatchObject({ code: 'store_unavailable' });
      expect(store.status()).toMatchObject({ state: 'away', reason: 'MASTERDOWN' });
      await redis.client.replicaof('NO', 'ONE');
      await until(() => store.status().state === 'ready', 'it is back');
      expect(await store.write(token, { value: 'v', generation: 1, lifeMs: 60_000 })).toBe(true);
    },
  );

  it.each(Object.entries(CLIENTS))(
    'with %s, one that reads its data from disk (LOADING) is away until it has',
    async (_, open) => {
      await using redis = await RedisServer.start(
        '--key-load-delay',
        '10000',
        '--enable-debug-command',
        'yes',
        '--loading-process-events-interval-bytes',
        '1024',
      );
      for (let i = 0; i < 200; i++) await redis.client.set(`key ${i}`, randomBytes(2_000));
      await using store = open(redis.port);
      await store.read(token);
      const reloaded = redis.client.call('DEBUG', 'RELOAD');
      await until(
        async () => (await store.read(token).catch(() => undefined), store.status().reason) === 'LOADING',
        'it loads',
      );
      await reloaded;
      await until(() => store.status().state === 'ready', 'it is back');
      expect(await store.write(token, { value: 'v', generation: 1, lifeMs: 60_000 })).toBe(true);
    },
  );
});
