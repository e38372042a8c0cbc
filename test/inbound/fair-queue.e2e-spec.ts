import { describe, expect, it } from '@jest/globals';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { EventEmitter, once } from 'node:events';
import type { Server } from 'node:http';
import { type ClientHttp2Stream, connect as connectHttp2, constants } from 'node:http2';
import { type Socket, connect } from 'node:net';
import { Controller, Get, Req } from '@nestjs/common';
import {
  AccessToken,
  type Dialect,
  type IncomingRequest,
  Public,
  XPayAuthError,
  XPaySessionService,
  xPay,
} from 'nestjs-xpay-auth';
import { ManualClock } from 'nestjs-xpay-auth/testing';
import { statusesOf } from '../support/crowd.js';
import {
  type InboundApp,
  type InboundSetting,
  RoutesController,
  ada,
  asAda,
  root,
  startInbound,
  wrong,
} from '../support/inbound-app.js';
import { type Platform, basic, platforms } from '../support/start-app.js';
import { until } from '../support/until.js';

/** Size of the largest crowd of callers. `npm test` has a smaller one. */
const CROWD = Number(process.env['CROWD_SIZE'] ?? 5_000);
const SLOW = { kind: 'delay', ms: 4_000 } as const;
const hour = 3_600_000;
const limitOf = (attempts: number) => ({ attempts, windowMs: hour });
const roomy = { perUserAndAddress: limitOf(1_000), perAddress: limitOf(1_000), perUser: limitOf(1_000) };

const accountsOf = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ username: `user-${i}@example.test`, secretKey: 'key' }));
const asUser = (i: number) => basic(`user-${i}@example.test`, 'key');
const from = (address: string, headers: Record<string, string>) => ({ ...headers, 'x-forwarded-for': address });
const addressOf = (i: number) => `198.51.${Math.floor(i / 250)}.${(i % 250) + 1}`;

/** A login with the credentials of the `Authorization` header. */
@Controller()
class LoginController {
  constructor(private readonly sessions: XPaySessionService) {}

  @Public()
  @Get('login')
  async login(@Req() request: IncomingRequest): Promise<object> {
    const [username = '', secretKey = ''] = atob(request.headers.authorization?.slice(6) ?? '').split(':');
    const { principal } = await this.sessions.login({ username, secretKey }, { request });
    return principal;
  }
}

async function start(
  platform: Platform,
  accounts: number,
  options: InboundSetting['options'] = {},
  setting: Partial<InboundSetting> = {},
) {
  const app = await startInbound(platform, {
    options,
    trustProxy: true,
    accounts: [ada, root, ...accountsOf(accounts)],
    controllers: [RoutesController, LoginController],
    ...setting,
  });
  let arrived = 0;
  (app.app.getHttpServer() as Server).on('request', () => arrived++);
  /** Waits until so many requests have arrived, and have gone as far as they can. */
  const arrivals = async (count: number): Promise<void> => {
    await until(() => arrived === count, `${count} requests arrive`, 240_000);
    await app.clock.advance(0);
  };
  return { ...app, arrivals };
}

/**
 * The xPay dialect, whose checks take a time on the manual clock and no connection. Real ones fail after five seconds of real
 * time, which a busy machine may need while the clock stands still.
 *
 * @param msOf how long the check of a username takes; those of the names `slow-…` are rejected
 */
function timed(clock: ManualClock, msOf: (username: string) => number) {
  const calls = { atOnce: 0, most: 0, over: 0 };
  const authenticate: Dialect['authenticate'] = async ({ username }) => {
    calls.most = Math.max(calls.most, ++calls.atOnce);
    await new Promise<void>((resolve) => void clock.setTimer(resolve, msOf(username)));
    calls.atOnce--;
    calls.over++;
    if (username.startsWith('slow-')) throw new XPayAuthError('invalid_credentials', 'wrong');
    return { accessToken: new AccessToken('token'), username, scopes: [], isAPI: true };
  };
  return { calls, dialect: { ...xPay(), authenticate } };
}

/** Sends these requests on one connection, without waiting for answers. */
function requestOn({ url }: InboundApp, requests: readonly { authorization: string }[], path = '/me'): Socket {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname).on('error', () => undefined);
  for (const headers of requests) socket.write(requestText(headers, path));
  return socket;
}

function requestText({ authorization }: { authorization: string }, path = '/me'): string {
  return `GET ${path} HTTP/1.1\r\nhost: x\r\nauthorization: ${authorization}\r\n\r\n`;
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
    ['200 addresses', CROWD, (i: number) => addressOf(i % 200)],
    ['one address', CROWD, () => '192.0.2.1'],
  ])(
    'D5 · from %s: %i at once wait and are served, with at most 48 calls at once',
    async (_, count, address) => {
      const clock = new ManualClock();
      const { calls, dialect } = timed(clock, () => 50);
      await using app = await start(platform, 0, { dialect }, { clock });
      const work = statusesOf(
        app,
        Array.from({ length: count }, (_each, i) => from(address(i), asUser(i))),
      );
      await app.arrivals(count);
      while (calls.atOnce > 0) await clock.advance(50);
      expect(tally(await work)).toEqual({ 200: count });
      expect(calls.most).toBeLessThanOrEqual(48);
      expect(calls.over).toBe(count);
    },
    300_000,
  );
});

describe.each(platforms)('an upstream that is slow for one address on %s', (platform) => {
  it('D4 · 48 slow checks of one address keep no one else from a place: 182 of 182 newcomers are served', async () => {
    const clock = new ManualClock();
    const { calls, dialect } = timed(clock, (username) => (username.startsWith('slow-') ? 4_000 : 50));
    await using app = await start(platform, 0, { dialect, attempts: roomy }, { clock });
    const hog = statusesOf(
      app,
      Array.from({ length: 48 }, (_, i) => from('192.0.2.66', basic(`slow-${i}@example.test`, 'guess'))),
    );
    await app.arrivals(48);
    expect(calls.atOnce).toBe(36);
    const newcomers = statusesOf(
      app,
      Array.from({ length: 182 }, (_, i) => from(addressOf(i), asUser(i))),
    );
    await app.arrivals(48 + 182);
    for (let ms = 0; ms < 1_000; ms += 50) await clock.advance(50);
    expect(tally(await newcomers)).toEqual({ 200: 182 });
    expect([calls.over, calls.atOnce]).toEqual([182, 36]);
    await clock.advance(4_000);
    await clock.advance(4_000);
    expect(tally(await hog)).toEqual({ 401: 48 });
  });

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
  });

  it('D4 · undecided checks of one address refuse no login with the same credentials from another address', async () => {
    await using app = await start(platform, 3, { attempts: { ...roomy, perAddress: limitOf(2) } });
    app.xpay.faults.next({ kind: 'unavailable' }, { times: 3 });
    // Two checks reach the limit, and the third one is the probe of this second.
    for (const i of [0, 1, 2]) expect(await app.status('/me', from('192.0.2.66', asUser(i)))).toBe(503);
    const both = ['192.0.2.66', '192.0.2.1'].map((address) => app.sessions.login(ada, { address }));
    const outcomes = await Promise.allSettled(both);
    expect(outcomes).toMatchObject([{ reason: { code: 'overloaded' } }, { status: 'fulfilled' }]);
  });

  it('I5 · ten logins from an address that is locked out refuse no login with the same credentials from another address', async () => {
    await using app = await start(platform, 0, { attempts: { ...roomy, perAddress: limitOf(1) } });
    expect(await app.status('/me', from('192.0.2.66', wrong()))).toBe(401);
    const addresses = [...Array.from({ length: 10 }, () => '192.0.2.66'), '192.0.2.1'];
    const outcomes = await Promise.allSettled(addresses.map((address) => app.sessions.login(ada, { address })));
    expect(outcomes.slice(0, 10)).toMatchObject(
      Array.from({ length: 10 }, () => ({ reason: { code: 'too_many_attempts' } })),
    );
    expect(outcomes[10]).toMatchObject({ status: 'fulfilled' });
  });
});

describe.each(platforms)('a queue for one check at a time on %s', (platform) => {
  const verification = { maxConcurrent: 1 };

  it('D5 · a client that disconnects leaves the queue', async () => {
    await using app = await start(platform, 3, { verification });
    app.xpay.faults.next(SLOW);
    const slow = app.status('/me', asUser(0));
    await app.xpay.waitForRequests(1);
    const left = requestOn(app, [asUser(1)]);
    const shared = [requestOn(app, [asUser(2)]), app.status('/me', asUser(2))] as const;
    await app.arrivals(4);
    left.destroy();
    shared[0].destroy();
    await until(() => app.events.some(({ type }) => type === 'undecided'), 'the client has left');
    await app.clock.advance(4_000);
    expect([await slow, await shared[1]]).toEqual([200, 200]);
    expect(app.xpay.ledger.map(({ body }) => (body as { username: string }).username)).toEqual([
      'user-0@example.test',
      'user-2@example.test',
    ]);
    expect(app.events.filter(({ type }) => type === 'undecided')).toMatchObject([
      { username: 'user-1@example.test', reason: 'overloaded' },
    ]);
  });

  it('D5 · twenty requests that are pipelined on one connection wait with one listener, which is removed', async () => {
    const warnings: Error[] = [];
    const warn = (warning: Error): void => void warnings.push(warning);
    process.on('warning', warn);
    await using app = await start(platform, 21, { verification });
    const connections: Socket[] = [];
    (app.app.getHttpServer() as Server).on('connection', (socket: Socket) => connections.push(socket));
    app.xpay.faults.next(SLOW);
    const slow = app.status('/me', asUser(20));
    await app.xpay.waitForRequests(1);
    const piped = requestOn(app, []);
    let answers = '';
    piped.on('data', (chunk: Buffer) => (answers += chunk.toString('latin1')));
    await until(() => connections.length === 2, 'the second connection');
    const listeners = (): number => connections[1]?.listenerCount('close') ?? 0;
    const before = listeners();
    for (let i = 0; i < 20; i++) piped.write(requestText(asUser(i)));
    await app.arrivals(21);
    // Ours, and Node's own for the response that it writes.
    expect(listeners()).toBe(before + 2);
    await app.clock.advance(4_000);
    expect(await slow).toBe(200);
    await until(() => answers.split('HTTP/1.1 200').length === 21, 'twenty answers');
    expect(listeners()).toBe(before);
    piped.destroy();
    process.off('warning', warn);
    expect(warnings).toEqual([]);
  });

  it('D5 · an app that shuts down answers those who wait', async () => {
    const app = await start(platform, 2, { verification });
    app.xpay.faults.next({ kind: 'hang' });
    const under = app.fetch('/me', { headers: asUser(0) });
    await app.xpay.waitForRequests(1);
    const waiting = app.fetch('/me', { headers: asUser(1) });
    await app.arrivals(2);
    const stopped = app.stop();
    for (const answer of [await under, await waiting]) {
      expect([answer.status, await answer.json()]).toMatchObject([503, { errorCode: 'shutting_down' }]);
    }
    await stopped;
    expect(app.asked()).toBe(1);
    await app.xpay.stop();
  });

  it('D5 · a wait of queueTimeoutMs ends in 503 with Retry-After, and costs no attempt', async () => {
    const attempts = { ...roomy, perAddress: limitOf(2) };
    await using app = await start(platform, 2, { verification, attempts, http: { timeoutMs: 20_000 } });
    app.xpay.faults.next({ kind: 'hang' });
    const under = app.status('/me', asUser(0));
    await app.xpay.waitForRequests(1);
    const waiting = Array.from({ length: 10 }, (_, i) => app.fetch('/me', { headers: wrong(i) }));
    await app.arrivals(11);
    await app.clock.advance(5_000);
    for (const answer of await Promise.all(waiting)) {
      expect([answer.status, answer.headers.get('retry-after'), await answer.json()]).toMatchObject([
        503,
        '1',
        { errorCode: 'overloaded' },
      ]);
    }
    await app.clock.advance(15_000);
    expect([await under, app.asked()]).toEqual([504, 1]);
    for (const status of [401, 401, 429]) expect(await app.status('/me', wrong(app.asked()))).toBe(status);
  });

  it('D5 · a caller who waited almost queueTimeoutMs has all of http.timeoutMs for its check', async () => {
    const nearlyMs = 4_900;
    await using app = await start(platform, 2, { verification, http: { timeoutMs: 5_000 } });
    app.xpay.faults.next({ kind: 'delay', ms: nearlyMs });
    app.xpay.faults.next({ kind: 'delay', ms: nearlyMs });
    const first = app.status('/me', asUser(0));
    await app.xpay.waitForRequests(1);
    const second = app.status('/me', asUser(1));
    await app.arrivals(2);
    await app.clock.advance(nearlyMs);
    expect(await first).toBe(200);
    await app.xpay.waitForRequests(2);
    await app.clock.advance(nearlyMs);
    expect([await second, app.asked()]).toEqual([200, 2]);
  });

  it('D5 · a login whose client disconnects leaves the queue', async () => {
    await using app = await start(platform, 3, { verification });
    app.xpay.faults.next(SLOW);
    const slow = app.status('/me', asUser(0));
    await app.xpay.waitForRequests(1);
    const left = requestOn(app, [asUser(1)], '/login');
    await app.arrivals(2);
    left.destroy();
    await until(() => app.events.some(({ type }) => type === 'undecided'), 'the client has left');
    await app.clock.advance(4_000);
    expect([await slow, app.asked()]).toEqual([200, 1]);
  });

  it('D5 · ten logins whose clients disconnect do not fail an eleventh one with the same credentials', async () => {
    await using app = await start(platform, 3, { verification });
    app.xpay.faults.next(SLOW);
    const slow = app.status('/me', asUser(0));
    await app.xpay.waitForRequests(1);
    const left = Array.from({ length: 10 }, () => requestOn(app, [asUser(1)], '/login'));
    await app.arrivals(11);
    const stays = app.status('/login', asUser(1));
    await app.arrivals(12);
    for (const socket of left) socket.destroy();
    await until(() => app.events.some(({ type }) => type === 'undecided'), 'the clients have left');
    await app.clock.advance(4_000);
    expect([await slow, await stays, app.asked()]).toEqual([200, 200, 2]);
  });
});

describe('a queue behind HTTP/2', () => {
  it('D5 · a request that is cancelled leaves the queue, the others on its connection stay', async () => {
    const serving = { adapter: new FastifyAdapter({ http2: true }) };
    await using app = await start('fastify', 3, { verification: { maxConcurrent: 1 } }, { serving });
    app.xpay.faults.next(SLOW);
    const session = connectHttp2(app.url);
    const [slow, left, other] = [0, 1, 2].map((i) => session.request({ ':path': '/me', ...asUser(i) }));
    await app.arrivals(3);
    left?.close(constants.NGHTTP2_CANCEL);
    await until(() => app.events.some(({ type }) => type === 'undecided'), 'the client has left');
    const statuses = Promise.all([slow, other].map((stream) => statusOfStream(stream)));
    await app.clock.advance(4_000);
    expect([await statuses, app.asked()]).toEqual([[200, 200], 2]);
    session.destroy();
  });
});

async function statusOfStream(stream: ClientHttp2Stream | undefined): Promise<unknown> {
  const [headers] = (await once(stream ?? new EventEmitter(), 'response')) as [Record<string, unknown>];
  return headers[':status'];
}
