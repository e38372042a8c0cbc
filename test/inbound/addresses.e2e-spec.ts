import { describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { once } from 'node:events';
import { type Server, createServer, request as send } from 'node:http';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type InboundApp, type InboundSetting, ada, asAda, startInbound, wrong } from '../support/inbound-app.js';
import { type Platform, type Serving, basic, platforms } from '../support/start-app.js';
import {
  type Wire,
  goOnWhenClosed,
  openConnection,
  resetBeforeAccepted,
  selfSigned,
} from '../support/resetting-client.js';
import { rawGet } from '../support/raw-request.js';
import { until } from '../support/until.js';

const verification = { maxConcurrent: 2_000 };
/** The default of 5 s also limits the real time of a call, which a busy machine may need. */
const http = { timeoutMs: 60_000 };
const limitOf = (attempts: number) => ({ attempts, windowMs: 3_600_000 });
const roomy = { perUserAndAddress: limitOf(1_000), perAddress: limitOf(1_000), perUser: limitOf(1_000) };
type Headers = Readonly<Record<string, string>>;

const servings: readonly (readonly [string, Platform, Wire, (trustProxy: string | false) => Serving])[] = [
  ['Express', 'express', 'http', () => ({})],
  ['Express over TLS', 'express', 'https', () => ({ options: { httpsOptions: selfSigned() } })],
  ['Fastify', 'fastify', 'http', (trustProxy) => ({ adapter: new FastifyAdapter({ trustProxy }) })],
  [
    'Fastify over HTTP/2',
    'fastify',
    'h2c',
    (trustProxy) => ({ adapter: new FastifyAdapter({ trustProxy, http2: true }) }),
  ],
  [
    'Fastify over HTTP/2 and TLS',
    'fastify',
    'h2',
    (trustProxy) => ({ adapter: new FastifyAdapter({ trustProxy, http2: true, https: selfSigned() }) }),
  ],
];

describe.each(servings)('a connection that is reset right after the request, on %s,', (_, platform, wire, serving) => {
  const start = (setting: InboundSetting = {}, trustProxy: string | false = false) =>
    startInbound(platform, {
      serving: serving(trustProxy),
      ...setting,
      options: { verification, http, ...setting.options },
      configure: (app) => {
        goOnWhenClosed(app);
        if (platform === 'express') (app as NestExpressApplication).set('trust proxy', trustProxy);
      },
    });

  it('D2 · counts a caller whose connection was reset: of 100 guesses of one name 10 reach the upstream', async () => {
    await using app = await start();
    await sendAndReset(app, wire, times(100, wrong));
    expect(app.asked()).toBe(10);
    expect(new Set(addressesOf(app))).toEqual(new Set(['127.0.0.1']));
    // The attacker has used up 10 of the 100 guesses for this name. Its owner authenticates from another address.
    const { principal } = await app.sessions.login(ada, { address: '192.0.2.1' });
    expect(principal.username).toBe(ada.username);
  });

  it('D2 · counts a caller whose connection was reset: of 400 names 100 reach the upstream', async () => {
    await using app = await start();
    await sendAndReset(
      app,
      wire,
      times(400, (i) => basic(`user-${i}`, 'guess')),
    );
    expect(app.asked()).toBe(100);
    expect(new Set(addressesOf(app))).toEqual(new Set(['127.0.0.1']));
  });

  it('D2 · finds the client behind a trusted proxy whose connection was reset', async () => {
    await using app = await start({}, '127.0.0.1');
    await sendAndReset(
      app,
      wire,
      times(20, (i) => ({ ...wrong(i), 'x-forwarded-for': '192.0.2.9' })),
    );
    expect(app.asked()).toBe(10);
    expect(new Set(addressesOf(app))).toEqual(new Set(['192.0.2.9']));
  });
});

describe.each(platforms)('a connection that is reset before it is accepted, on %s,', (platform) => {
  it.each([
    ['counts as one unknown address', {}],
    ['is not an untrusted proxy because it sends a forwarding header', { 'x-forwarded-for': '192.0.2.9' }],
  ])('D2 · %s', async (_, extra) => {
    await using app = await startInbound(platform, { options: { verification, http }, configure: goOnWhenClosed });
    await refusedBeforeAccepted(
      app,
      times(100, (i) => ({ ...wrong(i), ...extra })),
    );
    expect(app.asked()).toBe(10);
    await refusedBeforeAccepted(
      app,
      times(200, (i) => ({ ...basic(`user-${i}`, 'guess'), ...extra })),
    );
    expect(app.asked()).toBe(100);
    expect(new Set(addressesOf(app))).toEqual(new Set(['unknown']));
    expect(app.logged.filter((line) => line.includes('proxy this app does not trust'))).toEqual([]);
    expect(await app.status('/me', asAda)).toBe(200);
  });

  it('D2 · does not make the unknown address a trusted one', async () => {
    const attempts = { ...roomy, perUser: limitOf(1) };
    await using app = await startInbound(platform, { options: { attempts }, configure: goOnWhenClosed });
    await resetBeforeAccepted(serverOf(app), '/me', [{ ...asAda, 'x-reset': '1' }]);
    await until(() => app.events.length === 1, 'the caller is authenticated');
    // One after the other: the second would wait for the first, and leave with its client.
    await refusedBeforeAccepted(app, [wrong(1)]);
    await refusedBeforeAccepted(app, [wrong(2)]);
    expect(app.events.map(({ type }) => type).toSorted()).toEqual(['locked-out', 'refused', 'verified']);
  });
});

describe.each(platforms)('a Unix socket on %s', (platform) => {
  const start = (attempts: object) =>
    startInbound(platform, { options: { attempts }, serving: { path: join(mkdtempSync(join(tmpdir(), 'd2-')), 's') } });

  it('D2 · is one unknown address', async () => {
    await using app = await start({ ...roomy, perAddress: limitOf(3) });
    for (let i = 0; i < 3; i++) expect(await statusOf(app, basic(`user-${i}`, 'guess'))).toBe(401);
    expect(await statusOf(app, basic('user-3', 'guess'))).toBe(429);
    expect(app.events.at(-1)).toMatchObject({ type: 'locked-out', limit: 'perAddress', address: 'unknown' });
  });

  it('D2 · is an untrusted proxy with a forwarding header: only names are counted, with one warning', async () => {
    await using app = await start({ perUserAndAddress: limitOf(1), perAddress: limitOf(1), perUser: limitOf(4) });
    const [last = {}, ...first] = times(5, (i) => ({ ...wrong(i), 'x-forwarded-for': '192.0.2.7' }));
    for (const forwarded of first) expect(await statusOf(app, forwarded)).toBe(401);
    expect(await statusOf(app, last)).toBe(429);
    expect(app.logged.filter((line) => line.includes('proxy this app does not trust'))).toHaveLength(1);
    expect(new Set(addressesOf(app))).toEqual(new Set([undefined]));
  });
});

describe.each(['express', 'fastify'] as const)('a request of which Node drops header lines, on %s,', (platform) => {
  /** Node drops the header of the proxy, because it comes after 1,000 other lines. */
  const dropped = [...times(1_000, () => 'b:'), 'x-forwarded-for: 192.0.2.7'];

  it('I5 · does not make an untrusted proxy a client, so its callers do not share a limit', async () => {
    await using app = await startInbound(platform, { options: { attempts: { ...roomy, perAddress: limitOf(3) } } });
    const { status } = await rawGet(app.url, '/me', [`authorization: ${asAda.authorization}`, ...dropped]);
    // Newer versions of Node refuse such a request with 431 themselves.
    expect([400, 431]).toContain(status);
    for (const headers of times(10, (i) => ({ ...wrong(i), 'x-forwarded-for': '192.0.2.8' }))) {
      expect((await app.fetch('/me', { headers })).status).toBe(401);
    }
    expect(new Set(addressesOf(app))).toEqual(new Set([undefined]));
  });

  it('I5 · is no login, because its attempt would be counted by the address of the proxy', async () => {
    await using app = await startInbound(platform);
    const guess = { username: ada.username, secretKey: 'guess' };
    const request = {
      headers: {},
      rawHeaders: dropped.flatMap((line) => line.split(': ')).concat(times(1_000, () => '')),
    };
    await expect(app.sessions.login(guess, { request })).rejects.toMatchObject({ code: 'invalid_request' });
    expect(app.asked()).toBe(0);
  });
});

describe('a second server, created by the app,', () => {
  it('D2 · counts a caller whose connection was reset by its address', async () => {
    await using app = await startInbound('express', { options: { verification, http }, configure: goOnWhenClosed });
    const server = createServer(app.app.getHttpAdapter().getInstance() as () => void);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    await sendAndReset(app, 'http', times(20, wrong), server);
    server.close();
    expect(app.asked()).toBe(10);
    expect(new Set(addressesOf(app))).toEqual(new Set(['127.0.0.1']));
  });
});

describe('a login', () => {
  it.each([undefined, null])('D2 · with the address %s counts as one unknown address', async (address) => {
    await using app = await startInbound('express');
    const guesses = times(20, (i) => ({ username: ada.username, secretKey: `guess-${i}` }));
    for (const guess of guesses)
      await app.sessions.login(guess, { address: address as undefined }).catch(() => undefined);
    expect(app.asked()).toBe(10);
    expect(new Set(addressesOf(app))).toEqual(new Set(['unknown']));
  });
});

function times<T>(count: number, item: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, i) => item(i));
}

function serverOf({ app }: { app: INestApplication }): Server {
  return app.getHttpServer() as Server;
}

/** Sends each request on a new connection, resets the connection at once, and waits for all audit events. */
async function sendAndReset(
  app: InboundApp,
  wire: Wire,
  requests: readonly Headers[],
  server = serverOf(app),
): Promise<void> {
  const connections = [];
  for (const headers of requests) connections.push({ headers, reset: await openConnection(wire, server, '/me') });
  for (const { headers, reset } of connections) reset({ ...headers, 'x-reset': '1' });
  await until(() => app.events.length === requests.length, `${requests.length} refusals`);
}

async function refusedBeforeAccepted(app: InboundApp, requests: readonly Headers[]): Promise<void> {
  const all = app.events.length + requests.length;
  await resetBeforeAccepted(
    serverOf(app),
    '/me',
    requests.map((headers) => ({ ...headers, 'x-reset': '1' })),
  );
  await until(() => app.events.length === all, `${all} events`);
}

function addressesOf({ events }: InboundApp): (string | undefined)[] {
  return events.map((event) => ('address' in event ? event.address : undefined));
}

async function statusOf(app: InboundApp, headers: Headers): Promise<number> {
  const asked = send({ socketPath: serverOf(app).address() as string, path: '/me', headers, agent: false }).end();
  const [{ statusCode }] = (await once(asked, 'response')) as [{ statusCode: number }];
  return statusCode;
}
