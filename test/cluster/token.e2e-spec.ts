import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type XPayEmulator, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { setTimeout as sleep } from 'node:timers/promises';
import { lengthPrefixed } from '../../libs/xpay-auth/src/core/credentials.js';
import { ADA, APP, type Instance, InstanceFactory, logins } from '../support/cluster.js';
import { RedisServer } from '../support/redis-server.js';
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

const values = async (all: readonly Instance[], callers: number): Promise<Set<string>> => {
  const asked = all.flatMap(({ tokens }) => Array.from({ length: callers }, () => tokens.getToken()));
  return new Set((await Promise.all(asked)).map(({ value }) => value));
};

describe('one upstream client for any number of instances', () => {
  it('O2 · 50 instances × 200 callers with an empty cache send 1 request and get one token', async () => {
    await using all = await instances.bootMany(50);
    expect((await values(all, 200)).size).toBe(1);
    expect(logins(xpay)).toBe(1);
  });

  it('O2 · sends 1 request at every expiry', async () => {
    xpay.tokenLifeMs = 2_000;
    await using all = await instances.bootMany(10);
    const seen = new Set<string>();
    for (let renewals = 1; renewals <= 4; renewals++) {
      const [first] = await values(all, 20);
      seen.add(first ?? '');
      await until(() => all.every(({ tokens }) => tokens.status().state !== 'fresh'), 'the token is due');
      await sleep(50);
    }
    await values(all, 20);
    expect(logins(xpay)).toBeLessThanOrEqual(seen.size + 1);
    expect(logins(xpay)).toBeLessThanOrEqual(5);
  });

  it('C1 · one instance obtains the token, another uses it for its remaining lifetime', async () => {
    xpay.tokenLifeMs = 60_000;
    await using one = await instances.boot();
    const token = await one.tokens.getToken();
    await sleep(1_100);
    await using other = await instances.boot();
    expect((await other.tokens.getToken()).value).toBe(token.value);
    expect(logins(xpay)).toBe(1);
    expect(other.events.map(({ type }) => type)).toEqual(['adopted']);
    const [mine, theirs] = [one.tokens.status(), other.tokens.status()];
    expect(Math.abs(mine.usableForMs - theirs.usableForMs)).toBeLessThan(100);
    expect(theirs.usableForMs).toBeLessThan(56_500);
  });

  it('C1 · the others wait for a notification, and read the store if none arrives', async () => {
    xpay.faults.next({ kind: 'delay', ms: 800 });
    await using proxy = await TcpProxy.before(redis.port);
    await using one = await instances.boot();
    await using other = await instances.boot({}, proxy.url);
    const [a, b] = await Promise.all([one.tokens.getToken(), sleep(20).then(() => other.tokens.getToken())]);
    expect(a.value).toBe(b.value);
    expect(other.events.map(({ type }) => type)).toEqual(['adopted']);
    expect(logins(xpay)).toBe(1);
  });

  it('O3 · a token that the API rejects on all instances causes one renewal, and is not handed out again', async () => {
    await using all = await instances.bootMany(10);
    const [rejected = ''] = await values(all, 1);
    const renewed = await Promise.all(
      all.flatMap(({ tokens }) =>
        Array.from({ length: 100 }, async () => {
          await tokens.invalidate(rejected);
          return (await tokens.getToken()).value;
        }),
      ),
    );
    expect(renewed).not.toContain(rejected);
    expect(new Set(renewed).size).toBe(1);
    expect(logins(xpay)).toBe(2);
    await using fresh = await instances.boot();
    expect((await fresh.tokens.getToken()).value).toBe(renewed[0]);
    expect(logins(xpay)).toBe(2);
  });

  it('O3 · a rejection on one instance removes the token from the others', async () => {
    await using one = await instances.boot();
    await using other = await instances.boot();
    const [rejected = ''] = await values([one, other], 1);
    await one.tokens.invalidate(rejected);
    await until(() => other.tokens.peek() === undefined, 'the other instance was notified');
    const [renewed] = await values([one, other], 5);
    expect(renewed).not.toBe(rejected);
    expect(logins(xpay)).toBe(2);
  });

  it('O4 · a rejected account backs off on all instances, and new credentials do not wait', async () => {
    const wrong = { ...APP, secretKey: 'an old key' };
    await using all = await instances.bootMany(5, { credentials: wrong });
    for (const { tokens } of all) {
      await expect(tokens.getToken()).rejects.toMatchObject({ code: 'credentials_rejected' });
    }
    expect(logins(xpay)).toBe(1);
    await using right = await instances.boot();
    await right.tokens.getToken();
    expect(logins(xpay)).toBe(2);
    // The second rejection backs off twice as long as the first, on whichever instance it occurs.
    await sleep(1_050);
    const failure = await all[3]?.tokens.getToken().catch((thrown: unknown) => thrown);
    expect(failure).toMatchObject({ code: 'credentials_rejected' });
    expect((failure as { retryAfterMs: number }).retryAfterMs).toBeGreaterThan(1_500);
    expect(logins(xpay)).toBe(3);
  });

  it('O13 · a Retry-After of 60 s applies to all instances', async () => {
    xpay.faults.next({ kind: 'rateLimited', retryAfter: 60 });
    await using all = await instances.bootMany(4);
    for (const { tokens } of all) {
      await expect(tokens.getToken()).rejects.toMatchObject({ code: 'upstream_rate_limited' });
    }
    expect(xpay.ledger.length).toBe(1);
  });
});

/** The name under which the token chain stores the app token. */
function leaseName(): { kind: 'token'; id: string } {
  return { kind: 'token', id: lengthPrefixed(['default', 'xpay', xpay.url, APP.username, APP.secretKey]) };
}

describe('C2 · a leader that dies', () => {
  it('is replaced when its lease expires', async () => {
    // A request may take 500 ms, so a lease lasts 3.5 s.
    const token = { deadlineMs: 500 };
    await using dead = await instances.boot({ token });
    await using alive = await instances.boot({ token });
    const acquiredAt = performance.now();
    const { kind } = await dead.store.acquire(leaseName(), 1_500);
    expect(kind).toBe('acquired');
    await alive.tokens.getToken();
    // Redis and this process may measure 1.5 s a little differently.
    expect(performance.now() - acquiredAt).toBeGreaterThan(1_400);
    expect(alive.events.map(({ type }) => type)).toEqual(['obtained']);
  });
});

describe('C3 · outbound without the store', () => {
  it('continues on every instance if Redis was never there, with one log line each', async () => {
    await using proxy = await TcpProxy.before(redis.port);
    proxy.cut();
    await using one = await instances.boot({}, proxy.url);
    await values([one], 50);
    await using other = await instances.boot({}, redis.url);
    await values([one, other], 50);
    expect(logins(xpay)).toBe(2);
    expect(one.lines.filter((line) => line.includes('shared store'))).toHaveLength(1);
  });

  it('keeps no caller waiting if Redis stops responding during a refresh', async () => {
    xpay.tokenLifeMs = 3_000;
    await using proxy = await TcpProxy.before(redis.port);
    await using one = await instances.boot({}, proxy.url);
    const { value } = await one.tokens.getToken();
    proxy.blackHole();
    await until(() => one.tokens.status().state === 'stale', 'the token is due');
    expect(await values([one], 1_000)).toEqual(new Set([value]));
    expect(logins(xpay)).toBe(1);
    await until(() => logins(xpay) === 2, 'the instance refreshed without the store');
    await until(() => one.tokens.status().state === 'fresh', 'there is a new token');
  });

  it('uses the newest token after Redis was killed and restarted, with one upstream call for all instances', async () => {
    xpay.tokenLifeMs = 4_000;
    await using own = await RedisServer.start();
    // An instance with a short deadline logs in without the others when a busy machine delays this Redis.
    const patient = new InstanceFactory(xpay, own.url);
    await using one = await patient.boot();
    await using other = await patient.boot();
    await values([one, other], 5);
    expect(logins(xpay)).toBe(1);
    await own.kill();
    await until(
      () => [one, other].every(({ store }) => store.status().state === 'away'),
      'both have detected the outage',
    );
    await values([one, other], 5);
    expect(logins(xpay)).toBe(1);
    await own.resume();
    await until(() => [one, other].every(({ store }) => store.status().state === 'ready'), 'it is back');
    await until(() => [one, other].every(({ tokens }) => tokens.status().state === 'stale'), 'the token is due');
    await values([one, other], 5);
    await until(() => [one, other].every(({ tokens }) => tokens.status().state === 'fresh'), 'both have a new one');
    expect((await values([one, other], 5)).size).toBe(1);
    expect(logins(xpay)).toBe(2);
  });

  it('reads what a full Redis holds, and works without the store where it cannot write', async () => {
    await using full = await RedisServer.start('--maxmemory-policy', 'noeviction');
    const patient = new InstanceFactory(xpay, full.url);
    await using one = await patient.boot();
    const token = await one.tokens.getToken();
    await until(async () => (await full.client.dbsize()) >= 2, 'it is written');
    await full.client.config('SET', 'maxmemory', '1');
    await using other = await patient.boot();
    expect((await other.tokens.getToken()).value).toBe(token.value);
    await full.client.config('SET', 'maxmemory', '0');
    await full.client.flushall();
    await full.client.config('SET', 'maxmemory', '1');
    await using third = await patient.boot();
    await third.tokens.getToken();
    expect(logins(xpay)).toBe(2);
  });
});
