import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type XPayEmulator, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { ensureBuilt } from '../support/built-app.js';
import { ADA, APP, logins } from '../support/cluster.js';
import { newKey } from '../support/encryption-keys.js';
import { RedisServer } from '../support/redis-server.js';
import { basic } from '../support/start-app.js';
import { until } from '../support/until.js';
import { Worker } from '../support/worker.js';

let redis: RedisServer;
let xpay: XPayEmulator;
let workers: Worker[];
const keys = `k1:${newKey()}`;

beforeAll(async () => {
  await ensureBuilt();
  redis = await RedisServer.start();
}, 120_000);
afterAll(() => redis[Symbol.asyncDispose]());
beforeEach(async () => {
  await redis.client.flushall();
  xpay = await startXPayEmulator({ accounts: [APP, ADA] });
  workers = [];
});
afterEach(async () => {
  await Promise.all(workers.map((worker) => worker[Symbol.asyncDispose]()));
  await xpay[Symbol.asyncDispose]();
});

/** Processes that read the Redis settings from the environment, as a user's app does. */
async function start(count: number, options: object = {}): Promise<Worker[]> {
  const environment = { XPAY_REDIS_URL: redis.url, XPAY_ENCRYPTION_KEYS: keys };
  const all = { baseUrl: xpay.url, credentials: APP, ...options };
  workers.push(...(await Promise.all(Array.from({ length: count }, () => Worker.start(all, environment)))));
  return workers;
}

describe('several processes on one Redis', () => {
  it('O2 · O3 · 4 processes × 200 callers send 1 request, and 1 more when all reject the token', async () => {
    const all = await start(4);
    const bursts = await Promise.all(all.map((worker) => worker.ask('burst', { callers: 200 })));
    const values = new Set(bursts.flatMap((burst) => burst.values));
    expect([values.size, logins(xpay)]).toEqual([1, 1]);
    const [value = ''] = values;
    const renewed = await Promise.all(all.map((worker) => worker.ask('reject', { callers: 200, value })));
    const others = new Set(renewed.flatMap((burst) => burst.values));
    expect([others.size, others.has(value), logins(xpay)]).toEqual([1, false, 2]);
  });

  it('C2 · when the leader is suspended past its lease, another takes over and the late write is rejected', async () => {
    // A lease lasts 3 s longer than the deadline.
    const [holder, other] = await start(2, { token: { deadlineMs: 1_000 } });
    xpay.faults.next({ kind: 'delay', ms: 700 });
    const startedAt = performance.now();
    const held = holder?.ask('burst', { callers: 1 });
    await xpay.waitForRequests(1);
    holder?.signal('SIGSTOP');
    const taken = await other?.ask('burst', { callers: 20 });
    expect(taken?.values).toHaveLength(1);
    // Redis and this process may measure the 4 s a little differently.
    expect(performance.now() - startedAt).toBeGreaterThan(3_900);
    holder?.signal('SIGCONT');
    // It ends up with the token of the other process, whatever its own attempt returned.
    await held?.catch(() => undefined);
    await until(
      async () => (await holder?.ask('burst', { callers: 5 }).catch(() => undefined))?.values[0] === taken?.values[0],
      'it has the newer token',
    );
    expect((await other?.ask('burst', { callers: 5 }))?.values).toEqual(taken?.values);
    expect(logins(xpay)).toBe(2);
  });

  it('C2 · when the leader is killed, another takes over', async () => {
    const [holder, other] = await start(2, { token: { deadlineMs: 1_000 } });
    xpay.faults.next({ kind: 'delay', ms: 700 });
    void holder?.ask('burst', { callers: 1 }).catch(() => undefined);
    await xpay.waitForRequests(1);
    holder?.signal('SIGKILL');
    const taken = await other?.ask('burst', { callers: 20 });
    expect(taken?.values).toHaveLength(1);
  });

  it('C5 · C6 · a login, a logout and failed attempts apply to every process', async () => {
    const limit = { attempts: 5, windowMs: 60_000 };
    const all = await start(3, { attempts: { perUserAndAddress: limit } });
    const session = await all[0]?.ask('login', { credentials: { username: ADA.username, secretKey: ADA.secretKey } });
    const authorization = `Bearer ${session?.accessToken ?? ''}`;
    for (const worker of all) expect(await worker.ask('who', { authorization })).toBe(ADA.username);
    await all[1]?.ask('revokeUser', { username: ADA.username });
    const refused = (): Promise<unknown> =>
      Promise.all(all.map((worker) => worker.ask('who', { authorization }).catch((failure: Error) => failure.message)));
    await until(
      async () => JSON.stringify(await refused()) === JSON.stringify(Array(3).fill('invalid_token')),
      'all refuse',
      1_000,
    );

    const guesses = await Promise.all(
      Array.from({ length: 30 }, async (_, i) => {
        const guess = { authorization: basic(ADA.username, `guess ${i}`).authorization };
        return all[i % 3]?.ask('who', guess).catch((failure: Error) => failure.message);
      }),
    );
    expect(guesses.filter((outcome) => outcome === 'invalid_credentials')).toHaveLength(5);
    expect(guesses.filter((outcome) => outcome === 'too_many_attempts')).toHaveLength(25);
  });
});
