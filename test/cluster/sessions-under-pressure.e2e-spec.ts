import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type XPayEmulator, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { setTimeout as sleep } from 'node:timers/promises';
import { ADA, APP, InstanceFactory, logins } from '../support/cluster.js';
import { PATIENT } from '../support/redis-clients.js';
import { RedisServer } from '../support/redis-server.js';
import { basic } from '../support/start-app.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/until.js';

const BOB = { username: 'bob@example.test', secretKey: 'bob-secret-key' };
/** Authenticates, and has no scope. */
const EVE = { username: 'eve@example.test', secretKey: 'eve-secret-key', scopes: [] };

let redis: RedisServer;
let xpay: XPayEmulator;
let instances: InstanceFactory;

beforeAll(async () => {
  redis = await RedisServer.start('--maxmemory', '6mb');
});
afterAll(() => redis[Symbol.asyncDispose]());
beforeEach(async () => {
  await redis.client.flushall();
  xpay = await startXPayEmulator({ accounts: [APP, ADA, BOB, EVE] });
  instances = new InstanceFactory(xpay, redis.url);
});
afterEach(() => xpay[Symbol.asyncDispose]());

const asAda = basic(ADA.username, ADA.secretKey).authorization;
const bearer = ({ accessToken }: { readonly accessToken: string }): string => `Bearer ${accessToken}`;

describe('D7 · the sessions of one user', () => {
  it('D7 · are at most `session.maxPerUser` on all instances together, the newest ones', async () => {
    await using one = await instances.boot();
    await using other = await instances.boot();
    const bobs = await one.sessions.login(BOB);
    const tokens: string[] = [];
    for (let round = 0; round < 6; round++) {
      const { sessions } = round % 2 === 0 ? one : other;
      const started = await Promise.all(Array.from({ length: 500 }, () => sessions.login(EVE)));
      tokens.push(...started.map(bearer));
    }
    const entries = (await redis.client.keys('*:e')).length;
    // Bob's session, and the address from which each of them was authenticated.
    expect(entries).toBeLessThanOrEqual(100 + 3);
    expect(logins(xpay, EVE.username)).toBeGreaterThanOrEqual(300);
    expect(await Promise.all([one, other].map(({ who }) => who(bearer(bobs))))).toEqual([BOB.username, BOB.username]);
    const last = await other.sessions.login(EVE);
    for (const { who } of [one, other]) {
      expect(await who(bearer(last))).toBe(EVE.username);
      await until(async () => (await who(tokens[0] ?? '')) === 'invalid_token', 'the oldest session has ended');
    }
    // A session that was read within the last second is not read again.
    const valid = async (): Promise<number> => {
      const seen = await Promise.all(tokens.map((token) => one.who(token)));
      return seen.filter((who) => who === EVE.username).length;
    };
    await until(async () => (await valid()) === 99, '99 of these sessions are valid, and the last one');
  }, 120_000);

  it('D7 · a login ends the oldest session on every instance, and a logout makes room for another one', async () => {
    await using one = await instances.boot({ session: { maxPerUser: 3 } });
    await using other = await instances.boot({ session: { maxPerUser: 3 } });
    const tokens: string[] = [];
    for (const { sessions } of [one, other, one]) tokens.push(bearer(await sessions.login(ADA)));
    for (const token of tokens) expect(await other.who(token)).toBe(ADA.username);
    await other.sessions.logout(tokens[1]?.slice('Bearer '.length) ?? '');
    tokens.push(bearer(await one.sessions.login(ADA)));
    // This instance has read no session yet.
    await using late = await instances.boot({ session: { maxPerUser: 3 } });
    expect(await late.who(tokens[0] ?? '')).toBe(ADA.username);
    tokens.push(bearer(await other.sessions.login(ADA)));
    for (const { who } of [one, other]) {
      await until(async () => (await who(tokens[0] ?? '')) === 'invalid_token', 'the oldest session has ended', 1_500);
      for (const token of tokens.slice(2)) expect(await who(token)).toBe(ADA.username);
    }
  });
});

describe('D8 · revocations while the store is away or slow', () => {
  it('D8 · 1,001 logouts during an outage end these sessions everywhere, and no other one', async () => {
    await using proxy = await TcpProxy.before(redis.port);
    await using one = await instances.boot({}, proxy.url, PATIENT);
    await using other = await instances.boot();
    const users = Array.from({ length: 11 }, (_, i) => ({ ...BOB, username: `user-${i}@example.test` }));
    users.forEach((user) => xpay.addAccount(user));
    const ended: string[] = [];
    for (const user of users) {
      const started = await Promise.all(Array.from({ length: 91 }, () => one.sessions.login(user)));
      ended.push(...started.map(({ accessToken }) => accessToken));
    }
    expect(ended).toHaveLength(1_001);
    const kept = [await one.sessions.login(BOB), await other.sessions.login(ADA)];
    proxy.cut();
    await until(() => one.store.status().state === 'away', 'it is away');
    const outcomes = await Promise.allSettled(ended.map((token) => one.sessions.logout(token)));
    expect(outcomes.every(({ status }) => status === 'rejected')).toBe(true);
    proxy.heal();
    await until(() => one.store.status().state === 'ready', 'it is back');
    await until(async () => (await other.who(`Bearer ${ended.at(-1) ?? ''}`)) === 'invalid_token', 'logged out');
    await until(async () => (await other.who(`Bearer ${ended[0] ?? ''}`)) === 'invalid_token', 'logged out');
    await sleep(1_100);
    for (const { who } of [one, other]) {
      const seen: string[] = [];
      for (const token of ended) seen.push(await who(`Bearer ${token}`));
      expect(seen.filter((outcome) => outcome !== 'invalid_token')).toEqual([]);
      expect(await Promise.all(kept.map((session) => who(bearer(session))))).toEqual([BOB.username, ADA.username]);
    }
  });

  it('D8 · revokeUser rejects while the store is away, and a close before its return logs what is lost', async () => {
    await using proxy = await TcpProxy.before(redis.port);
    await using one = await instances.boot({}, proxy.url);
    const session = await one.sessions.login(ADA);
    proxy.cut();
    await until(() => one.store.status().state === 'away', 'it is away');
    await expect(one.sessions.revokeUser(ADA.username)).rejects.toMatchObject({ code: 'store_unavailable' });
    await expect(one.sessions.logout(session.accessToken)).rejects.toMatchObject({ code: 'store_unavailable' });
    await one.close();
    expect(one.lines).toContainEqual(expect.stringMatching(/revokeUser\("ada@example\.test"\).* 1 logout/));
    expect(one.lines.join('\n')).not.toContain(session.accessToken);
  });

  it('D8 · a revocation that waits for the store reaches the other instances when the app closes after its return', async () => {
    await using proxy = await TcpProxy.before(redis.port);
    await using one = await instances.boot({}, proxy.url);
    await using other = await instances.boot();
    const session = await other.sessions.login(ADA);
    proxy.cut();
    await until(() => one.store.status().state === 'away', 'it is away');
    await expect(one.sessions.revokeUser(ADA.username)).rejects.toMatchObject({ code: 'store_unavailable' });
    proxy.heal();
    await until(() => one.store.status().state === 'ready', 'it is back');
    await one.close();
    await until(async () => (await other.who(bearer(session))) === 'invalid_token', 'it is revoked');
  });

  it('D8 · behind a Redis that takes 80 ms, a session that was logged out elsewhere is refused, also without a notification', async () => {
    await using proxy = await TcpProxy.before(redis.port);
    await using one = await instances.boot({}, proxy.url);
    await using other = await instances.boot({}, proxy.url);
    const session = await one.sessions.login(ADA);
    expect(await other.who(bearer(session))).toBe(ADA.username);
    proxy.delayMs = 80;
    one.store.publish = () => Promise.resolve();
    await one.sessions.logout(session.accessToken);
    await sleep(1_000);
    expect(await other.who(bearer(session))).toMatch(/^(?:invalid_token|store_unavailable)$/);
  });

  it('D8 · a Redis that is emptied after a revocation hides no later revocation', async () => {
    await using one = await instances.boot();
    await using other = await instances.boot();
    expect(await one.who(asAda)).toBe(ADA.username);
    const append = one.store.append.bind(one.store);
    one.store.append = async (...args) => {
      const page = await append(...args);
      await redis.client.flushall();
      return page;
    };
    await one.sessions.revokeUser(BOB.username);
    expect(await one.who(asAda)).toBe(ADA.username);
    const session = await one.sessions.login(ADA);
    await other.who(bearer(session));
    xpay.removeAccount(ADA.username);
    await other.sessions.revokeUser(ADA.username);
    await until(async () => (await one.who(asAda)) === 'invalid_credentials', 'the cached caller is refused', 1_500);
    expect(await one.who(bearer(session))).toBe('invalid_token');
  });

  it('D8 · a login that overlaps revokeUser returns a valid session', async () => {
    await using one = await instances.boot();
    await using other = await instances.boot();
    for (const revoking of [one, other]) {
      xpay.resetLedger();
      xpay.faults.next({ kind: 'delay', ms: 700 });
      const login = one.sessions.login(ADA);
      await xpay.waitForRequests(1, '/client/authenticate');
      await revoking.sessions.revokeUser(ADA.username);
      expect(await one.who(bearer(await login))).toBe(ADA.username);
    }
  });
});
