import { describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { Agent, request as send } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Dialect, xPay } from 'nestjs-xpay-auth';
import { type InboundApp, type InboundSetting, ada, asAda, root, startInbound, wrong } from '../support/inbound-app.js';
import { type Platform, basic, platforms } from '../support/start-app.js';
import { settled } from '../support/settled.js';
import { until } from '../support/until.js';

const SLOW = { kind: 'delay', ms: 4_000 } as const;
const hour = 3_600_000;
const limitOf = (attempts: number) => ({ attempts, windowMs: hour });
const roomy = { perUserAndAddress: limitOf(1_000), perAddress: limitOf(1_000), perUser: limitOf(1_000) };

const accountsOf = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ username: `user-${i}@example.test`, secretKey: 'key' }));
const asUser = (i: number) => basic(`user-${i}@example.test`, 'key');
const from = (address: string, headers: Record<string, string>) => ({ ...headers, 'x-forwarded-for': address });
const addressOf = (i: number) => `198.51.${Math.floor(i / 250)}.${(i % 250) + 1}`;

function start(platform: Platform, accounts: number, options: InboundSetting['options'] = {}): Promise<InboundApp> {
  return startInbound(platform, { options, trustProxy: true, accounts: [ada, root, ...accountsOf(accounts)] });
}

/** Sends all requests at once, on connections of their own that stay open. Returns the statuses in the order of the requests. */
async function statusesOf({ url }: InboundApp, requests: readonly Record<string, string>[]): Promise<number[]> {
  const agent = new Agent({ keepAlive: true });
  const all = requests.map(async (headers) => {
    const [answer] = (await once(send(`${url}/me`, { agent, headers }).end(), 'response')) as [
      { statusCode: number; resume(): void },
    ];
    answer.resume();
    return answer.statusCode;
  });
  try {
    return await Promise.all(all);
  } finally {
    agent.destroy();
  }
}

/** Moves the clock in steps until the work is done. */
async function pump({ clock }: InboundApp, stepMs: number, work: Promise<unknown>): Promise<void> {
  let isOver = false;
  const end = (): void => void (isOver = true);
  work.then(end, end);
  while (!isOver) {
    await clock.advance(stepMs);
    await sleep(1);
  }
}

/** The xPay dialect, with the largest number of checks that it had at once. */
function counting() {
  const calls = { atOnce: 0, most: 0 };
  const dialect = xPay();
  const authenticate: Dialect['authenticate'] = async (...args) => {
    calls.most = Math.max(calls.most, ++calls.atOnce);
    try {
      return await dialect.authenticate(...args);
    } finally {
      calls.atOnce--;
    }
  };
  return { calls, dialect: { ...dialect, authenticate } };
}

/** Counts of each value. */
function tally(values: readonly number[]): Record<number, number> {
  const counts: Record<number, number> = {};
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
}

describe.each(platforms)('a crowd of first-seen callers on %s', (platform) => {
  it.each([
    ['200 addresses', 50, (i: number) => addressOf(i % 200)],
    ['one address', 50, () => '192.0.2.1'],
    ['200 addresses', 5_000, (i: number) => addressOf(i % 200)],
    ['one address', 5_000, () => '192.0.2.1'],
  ])('D5 · from %s: %i at once wait and are served, with at most 48 calls at once', async (_, count, address) => {
    const { calls, dialect } = counting();
    await using app = await start(platform, count, { dialect });
    app.xpay.faults.always({ kind: 'delay', ms: 50 });
    const work = statusesOf(
      app,
      Array.from({ length: count }, (_each, i) => from(address(i), asUser(i))),
    );
    await pump(app, 50, work);
    expect(tally(await work)).toEqual({ 200: count });
    expect(calls.most).toBeLessThanOrEqual(48);
    expect(app.asked()).toBe(count);
  }, 180_000);
});

describe.each(platforms)('an upstream that is slow for one address on %s', (platform) => {
  it('D4 · 48 slow checks of one address keep no one else from a place: 182 of 182 newcomers are served', async () => {
    await using app = await start(platform, 182, { attempts: roomy });
    for (let i = 0; i < 48; i++) app.xpay.faults.always(SLOW, { username: `slow-${i}@example.test` });
    const hog = statusesOf(
      app,
      Array.from({ length: 48 }, (_, i) => from('192.0.2.66', basic(`slow-${i}@example.test`, 'guess'))),
    );
    await settled(() => app.asked() === 36);
    const newcomers = Array.from({ length: 182 }, (_, i) => from(addressOf(i), asUser(i)));
    expect(tally(await statusesOf(app, newcomers))).toEqual({ 200: 182 });
    expect(app.asked()).toBe(36 + 182);
    await pump(app, 4_000, hog);
    expect(tally(await hog)).toEqual({ 401: 48 });
  }, 60_000);

  it('D4 · of 400 undecided checks of one address at most the limit reach the upstream; the others are 503 with Retry-After', async () => {
    await using app = await start(platform, 1);
    app.xpay.faults.always({ kind: 'status', status: 422, body: { detail: 'no' } });
    const statuses = await statusesOf(
      app,
      Array.from({ length: 400 }, (_, i) => from('192.0.2.66', basic(`guess-${i}@example.test`, 'guess'))),
    );
    // One probe beside the limit of 100.
    expect(tally(statuses)).toEqual({ 502: 101, 503: 299 });
    expect(app.asked()).toBe(101);
    const refused = await app.fetch('/me', { headers: from('192.0.2.66', wrong(1)) });
    expect([refused.status, refused.headers.get('retry-after'), await refused.json()]).toMatchObject([
      503,
      '1',
      { errorCode: 'overloaded' },
    ]);
    // Other addresses are not affected, and a success ends the limit.
    app.xpay.faults.clear();
    expect(await app.status('/me', from('192.0.2.1', asAda))).toBe(200);
    await app.clock.advance(1_000);
    expect(await app.status('/me', from('192.0.2.66', asUser(0)))).toBe(200);
    expect(await app.status('/me', from('192.0.2.66', wrong(2)))).toBe(401);
  }, 60_000);
});
