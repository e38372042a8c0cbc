import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { redisStore } from 'nestjs-xpay-auth/redis';
import { type XPayEmulator, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { setTimeout as sleep } from 'node:timers/promises';
import { ADA, APP, type Instance, InstanceFactory, logins } from '../support/cluster.js';
import { newKey } from '../support/encryption-keys.js';
import { PATIENT } from '../support/redis-clients.js';
import { RedisServer } from '../support/redis-server.js';
import { basic } from '../support/start-app.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';

let redis: RedisServer;
let xpay: XPayEmulator;
let instances: InstanceFactory;

beforeAll(async () => {
  redis = await RedisServer.start();
});
afterAll(() => redis[Symbol.asyncDispose]());
beforeEach(async () => {
  await redis.client.flushall();
  xpay = await startXPayEmulator({ accounts: [APP, ADA] });
  instances = new InstanceFactory(xpay, redis.url);
});
afterEach(() => xpay[Symbol.asyncDispose]());

const asAda = basic(ADA.username, ADA.secretKey).authorization;

/** An instance with separate keys. */
const boot = (encryptionKeys: string): Promise<Instance> =>
  instances.boot({ store: redisStore({ url: redis.url, encryptionKeys, ...PATIENT }) });

describe('sessions of all instances', () => {
  it('I10 · a login on one instance is valid on all, with one upstream call', async () => {
    await using all = await instances.bootMany(3);
    const { accessToken } = (await all[0]?.sessions.login(ADA)) ?? { accessToken: '' };
    for (const { who } of all) expect(await who(`Bearer ${accessToken}`)).toBe(ADA.username);
    expect(await all[1]?.who('Bearer unknown-to-everybody')).toBe('invalid_token');
    expect(logins(xpay, ADA.username)).toBe(1);
  });

  it('I10 · the upstream token that a session keeps is known to every instance that has accepted it', async () => {
    await using one = await instances.boot({ session: { keepUpstreamToken: true } });
    await using other = await instances.boot({ session: { keepUpstreamToken: true } });
    const { accessToken } = await one.sessions.login(ADA);
    expect(await other.who(`Bearer ${accessToken}`)).toBe(ADA.username);
    const kept = one.sessions.upstreamToken(accessToken)?.value;
    expect(kept).toBeDefined();
    expect(other.sessions.upstreamToken(accessToken)?.value).toBe(kept);
  });

  it('C5 · revokeUser on one instance ends sessions and cached credentials on all', async () => {
    await using all = await instances.bootMany(3);
    const [one, ...others] = all;
    const session = await one?.sessions.login(ADA);
    const bearer = `Bearer ${session?.accessToken ?? ''}`;
    for (const { who } of all) expect([await who(bearer), await who(asAda)]).toEqual([ADA.username, ADA.username]);
    const asked = logins(xpay, ADA.username);
    await one?.sessions.revokeUser(ADA.username);
    expect(await one?.who(bearer)).toBe('invalid_token');
    for (const { who } of others) await until(async () => (await who(bearer)) === 'invalid_token', 'it is refused');
    for (const { who } of others) expect(await who(asAda)).toBe(ADA.username);
    expect(logins(xpay, ADA.username)).toBeGreaterThan(asked);
    // A revocation is not a ban.
    const again = await others[0]?.sessions.login(ADA);
    await sleep(1_200);
    for (const { who } of all) expect(await who(`Bearer ${again?.accessToken ?? ''}`)).toBe(ADA.username);
  });

  it('C5 · a revocation also takes effect when the notification is lost, and on an instance that boots later', async () => {
    await using one = await instances.boot();
    await using proxy = await TcpProxy.before(redis.port);
    await using deaf = await instances.boot({}, proxy.url);
    const { accessToken } = await one.sessions.login(ADA);
    expect(await deaf.who(`Bearer ${accessToken}`)).toBe(ADA.username);
    deaf.store.publish = () => Promise.resolve();
    one.store.publish = () => Promise.resolve();
    await one.sessions.revokeUser(ADA.username);
    await until(async () => (await deaf.who(`Bearer ${accessToken}`)) === 'invalid_token', 'it is refused');
    await using later = await instances.boot();
    expect(await later.who(`Bearer ${accessToken}`)).toBe('invalid_token');
  });

  it('C5 · revokeAll and logout take effect everywhere', async () => {
    await using all = await instances.bootMany(2);
    const [one, other] = all;
    const first = await one?.sessions.login(ADA);
    const second = await one?.sessions.login(ADA);
    const bearers = [first, second].map((session) => `Bearer ${session?.accessToken ?? ''}`);
    for (const bearer of bearers) expect(await other?.who(bearer)).toBe(ADA.username);
    await other?.sessions.logout(first?.accessToken ?? '');
    expect(await other?.who(bearers[0] ?? '')).toBe('invalid_token');
    await until(async () => (await one?.who(bearers[0] ?? '')) === 'invalid_token', 'logged out', 1_200);
    expect(await one?.who(bearers[1] ?? '')).toBe(ADA.username);
    await one?.sessions.revokeAll();
    await until(async () => (await other?.who(bearers[1] ?? '')) === 'invalid_token', 'revoked');
  });

  it('C5 · when the revocation log overflows, every user has to log in again', async () => {
    await using one = await instances.boot();
    await using other = await instances.boot();
    const { accessToken } = await one.sessions.login(ADA);
    expect(await other.who(`Bearer ${accessToken}`)).toBe(ADA.username);
    const [list = ''] = await redis.client.keys('*:m').then((keys) => keys.map((key) => key.replace(/m$/, 'r')));
    // As if 10,000 other users had been revoked since: the oldest entries of the log are gone.
    await redis.client.hincrby(list.replace(/r$/, 'm'), 'n', 10_001);
    await redis.client.rpush(list, '10001|x|x');
    await until(async () => (await other.who(`Bearer ${accessToken}`)) === 'invalid_token', 'every session has ended');
  });

  it('C4 · key rotation loses no revocation and ends no session', async () => {
    const [k1, k2] = [newKey(), newKey()];
    await using before = await boot(`k1:${k1}`);
    const bob = { ...ADA, username: 'bob@example.test' };
    xpay.addAccount(bob);
    const [adas, bobs] = [await before.sessions.login(ADA), await before.sessions.login(bob)];
    await before.sessions.revokeUser(ADA.username);
    await using taught = await boot(`k1:${k1},k2:${k2},index:${k1}`);
    await using sealing = await boot(`k2:${k2},k1:${k1},index:${k1}`);
    const later = await sealing.sessions.login(ADA);
    for (const { who } of [taught, sealing]) {
      expect(await who(`Bearer ${bobs.accessToken}`)).toBe(bob.username);
      expect(await who(`Bearer ${later.accessToken}`)).toBe(ADA.username);
      expect(await who(`Bearer ${adas.accessToken}`)).toBe('invalid_token');
    }
    await using after = await boot(`k2:${k2},index:${k1}`);
    expect(await after.who(`Bearer ${later.accessToken}`)).toBe(ADA.username);
    expect(await after.who(`Bearer ${adas.accessToken}`)).toBe('invalid_token');
  });

  it('I10 · an idle session ends, and one that is used on any instance does not', async () => {
    await using one = await instances.boot({ session: { idleMs: 1_500 } });
    await using other = await instances.boot({ session: { idleMs: 1_500 } });
    const [used, idle] = [await one.sessions.login(ADA), await one.sessions.login(ADA)];
    for (let i = 0; i < 6; i++) {
      await sleep(400);
      expect(await other.who(`Bearer ${used.accessToken}`)).toBe(ADA.username);
    }
    expect(await one.who(`Bearer ${used.accessToken}`)).toBe(ADA.username);
    expect(await other.who(`Bearer ${idle.accessToken}`)).toBe('invalid_token');
    expect(await one.who(`Bearer ${idle.accessToken}`)).toBe('invalid_token');
  });
});

describe('C3 · sessions without the store', () => {
  it('accepts a local session, responds 503 rather than 401 to an unknown one and to a login, and recovers with the store', async () => {
    await using proxy = await TcpProxy.before(redis.port);
    await using one = await instances.boot({}, proxy.url);
    await using other = await instances.boot();
    const [here, there] = [await one.sessions.login(ADA), await other.sessions.login(ADA)];
    proxy.cut();
    await until(() => one.store.status().state === 'away', 'it is away');
    await sleep(1_100);
    expect(await one.who(`Bearer ${here.accessToken}`)).toBe(ADA.username);
    expect(await one.who(`Bearer ${there.accessToken}`)).toBe('store_unavailable');
    const asked = logins(xpay, ADA.username);
    await expect(one.sessions.login(ADA)).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(logins(xpay, ADA.username)).toBe(asked);
    // A session that ends during the outage ends here at once, and elsewhere when the store is back.
    await expect(one.sessions.logout(here.accessToken)).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(await one.who(`Bearer ${here.accessToken}`)).not.toBe(ADA.username);
    proxy.heal();
    await until(
      async () => (await other.who(`Bearer ${here.accessToken}`)) === 'invalid_token',
      'logged out there',
      4_000,
    );
    await until(async () => (await one.who(`Bearer ${there.accessToken}`)) === ADA.username, 'it knows the other one');
  });

  it('a known session is accepted by a slow store and continues without a silent one, which is not called while it is away', async () => {
    await using proxy = await TcpProxy.before(redis.port);
    await using one = await instances.boot({}, proxy.url);
    const { accessToken } = await one.sessions.login(ADA);
    const who = (): Promise<string> => one.who(`Bearer ${accessToken}`);
    await sleep(1_050);
    proxy.delayMs = 200;
    expect(await who()).toBe(ADA.username);
    await sleep(1_300);
    proxy.blackHole();
    expect(await who()).toBe(ADA.username);
    await until(() => one.store.status().state === 'away', 'it is away');
    const before = proxy.heard.length;
    for (let i = 0; i < 200; i++) expect(await who()).toBe(ADA.username);
    expect(proxy.heard.slice(before)).not.toContain('evalsha');
  });

  it('C3 · FLUSHALL ends all sessions with 401, and no revoked session returns', async () => {
    await using one = await instances.boot();
    await using other = await instances.boot();
    const { accessToken } = await one.sessions.login(ADA);
    const revoked = await one.sessions.login(ADA);
    await other.who(`Bearer ${accessToken}`);
    const [key = ''] = await redis.client.keys('*:e');
    const dumps = await Promise.all(
      (await redis.client.keys('*:e')).map(async (name) => [name, await redis.client.dumpBuffer(name)] as const),
    );
    expect(key).not.toBe('');
    await one.sessions.revokeUser(ADA.username);
    expect(await one.who(`Bearer ${revoked.accessToken}`)).toBe('invalid_token');
    await redis.client.flushall();
    await until(async () => (await other.who(`Bearer ${accessToken}`)) === 'invalid_token', 'ended');
    // Someone restores the data from before the revocation. It belongs to an earlier epoch.
    for (const [name, dump] of dumps) if (dump) await redis.client.restore(name, 60_000, dump, 'REPLACE');
    await using later = await instances.boot();
    expect(await later.who(`Bearer ${revoked.accessToken}`)).toBe('invalid_token');
    expect(await other.who(`Bearer ${accessToken}`)).toBe('invalid_token');
    const again = await other.sessions.login(ADA);
    expect(await later.who(`Bearer ${again.accessToken}`)).toBe(ADA.username);
  });

  it('C3 · restoring an old copy of the store begins a new epoch, so nothing revoked is valid', async () => {
    const epochs = async (): Promise<Set<unknown>> =>
      new Set(await Promise.all((await redis.client.keys('*:m')).map((name) => redis.client.hget(name, 'e'))));
    await using one = await instances.boot();
    const { accessToken } = await one.sessions.login(ADA);
    const [old] = await epochs();
    const copy = await Promise.all(
      (await redis.client.keys('*')).map(async (name) => [name, await redis.client.dumpBuffer(name)] as const),
    );
    await one.sessions.revokeUser(ADA.username);
    await redis.client.flushall();
    for (const [name, dump] of copy) if (dump) await redis.client.restore(name, 60_000, dump, 'REPLACE');
    await until(async () => !(await epochs()).has(old), 'the running instance has begun a new epoch');
    await using later = await instances.boot();
    expect(await later.who(`Bearer ${accessToken}`)).toBe('invalid_token');
  });
});
