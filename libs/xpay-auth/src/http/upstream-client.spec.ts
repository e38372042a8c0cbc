import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { type Server as HttpServer, type RequestListener, createServer as createHttpServer } from 'node:http';
import { type AddressInfo, type Server, createServer } from 'node:net';
import { inspect } from 'node:util';
import { gzipSync } from 'node:zlib';
import { type XPayEmulator, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { systemClock } from '../async/system-clock.js';
import { XPayAuthError } from '../core/errors.js';
import type { UpstreamRequest } from '../core/ports.js';
import { axiosTransport, createAxios } from './axios-transport.js';
import { UpstreamClient } from './upstream-client.js';

const SECRET = 'key-of-bob-77131';
const TOKEN = 'token-of-bob-20459';
const REQUEST: UpstreamRequest = {
  method: 'POST',
  path: '/client/authenticate',
  headers: { 'content-type': 'application/json', authorization: `Bearer ${TOKEN}` },
  body: JSON.stringify({ username: 'bob@example.test', secretKey: SECRET }),
};

const clientOf = (baseUrl: string, timeoutMs = 5_000, maxResponseBytes = 10_000) =>
  new UpstreamClient({
    transport: axiosTransport(createAxios({ timeoutMs, maxResponseBytes })),
    baseUrl,
    clock: systemClock,
    timeoutMs,
  });

/** The failure of a request that must fail; no word of it may be a secret. */
async function failureOf(client: UpstreamClient, signal?: AbortSignal): Promise<XPayAuthError> {
  const thrown: unknown = await client.send(REQUEST, signal).then(
    ({ status }) => new Error(`answered ${status}`),
    (error: unknown) => error,
  );
  if (!(thrown instanceof XPayAuthError)) throw thrown;
  const everything = [
    inspect(thrown, { depth: Infinity, showHidden: true }),
    JSON.stringify([thrown, thrown.cause, Object.entries(thrown)]),
    String(thrown),
    thrown.stack,
    String((thrown.cause as Error | undefined)?.stack),
  ].join();
  expect(everything).not.toContain(SECRET);
  expect(everything).not.toContain(TOKEN);
  return thrown;
}

describe('a request to the upstream', () => {
  let xpay: XPayEmulator;
  const servers: (Server | HttpServer)[] = [];
  beforeEach(async () => {
    xpay = await startXPayEmulator({ accounts: [{ username: 'bob@example.test', secretKey: SECRET }] });
  });
  afterEach(async () => {
    await xpay.stop();
    for (const server of servers.splice(0)) {
      if ('closeAllConnections' in server) server.closeAllConnections();
      server.close();
    }
  });

  async function listen<S extends Server | HttpServer>(server: S): Promise<string> {
    servers.push(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }
  const answering = (listener: RequestListener): Promise<string> => listen(createHttpServer(listener));

  it('carries method, path, headers and body as they are, and asks for JSON', async () => {
    const answer = await clientOf(xpay.url).send(REQUEST);
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.text)).toMatchObject({ success: { message: 'Authenticated' } });
    expect(xpay.ledger[0]).toMatchObject({
      method: 'POST',
      path: '/client/authenticate',
      outcome: 'granted',
      headers: { accept: 'application/json', 'content-type': 'application/json' },
    });
  });

  it('goes below the path of the base URL', async () => {
    await clientOf(`${xpay.url}/base`).send(REQUEST);
    expect(xpay.ledger[0]).toMatchObject({ path: '/base/client/authenticate' });
  });

  it('brings any status as an answer, with headers, and both clocks', async () => {
    xpay.faults.next({ kind: 'rateLimited', retryAfter: 9 });
    const before = Date.now();
    const answer = await clientOf(xpay.url).send(REQUEST);
    expect(answer.status).toBe(429);
    expect(answer.header('Retry-After')).toBe('9');
    expect(answer.header('x-none')).toBeUndefined();
    expect(answer.receivedAt).toBeGreaterThanOrEqual(before);
    expect(Math.abs((answer.upstreamNow ?? 0) - answer.receivedAt)).toBeLessThan(2_000);
  });

  it('O13 · reads the first of several equal headers', async () => {
    const answer = { status: 503, headers: { 'retry-after': ['7', '9'] }, body: new Uint8Array() };
    const transport = (): Promise<typeof answer> => Promise.resolve(answer);
    const client = new UpstreamClient({ transport, baseUrl: xpay.url, clock: systemClock, timeoutMs: 5_000 });
    expect((await client.send(REQUEST)).header('Retry-After')).toBe('7');
  });

  it("does not know the upstream's clock where it has no Date", async () => {
    xpay.dateHeader = false;
    expect((await clientOf(xpay.url).send(REQUEST)).upstreamNow).toBeUndefined();
  });

  it.each(['//evil.test/x', 'client/x', 'http://evil.test/x', '', '@evil.test', '\\\\evil.test'])(
    'goes nowhere else: the path %p is refused before anything is sent',
    async (path) => {
      const attempt = clientOf(xpay.url).send({ ...REQUEST, path });
      await expect(attempt).rejects.toMatchObject({ code: 'configuration' });
      expect(xpay.requests()).toBe(0);
    },
  );

  it.each([
    '/../other-tenant',
    '/%2e%2e/other-tenant',
    '/.%2E/other-tenant',
    '/x/../../other-tenant',
    '/..\\other-tenant',
    '/..%2fother-tenant',
    '/%2e%2e%5Cother-tenant',
    '/.\t./other-tenant',
  ])('O17 · stays below the path of the base URL: %p is refused before anything is sent', async (path) => {
    const attempt = clientOf(`${xpay.url}/base`).send({ ...REQUEST, path });
    await expect(attempt).rejects.toMatchObject({ code: 'configuration' });
    expect(xpay.requests()).toBe(0);
  });

  it.each(['/x/../client/authenticate', '/client/authenticate?back=/../..', '/client%2Fauthenticate'])(
    'may have dots and encoded slashes that lead nowhere else: %p',
    async (path) => {
      await clientOf(`${xpay.url}/base`).send({ ...REQUEST, path });
      expect(xpay.ledger[0]?.path).toMatch(/^\/base\/client/);
    },
  );

  describe('that is not answered', () => {
    it('I6 · refused: upstream_unavailable', async () => {
      await xpay.pause();
      const failure = await failureOf(clientOf(xpay.url));
      expect(failure).toMatchObject({ code: 'upstream_unavailable', cause: { code: 'ECONNREFUSED' } });
    });

    it('I6 · reset: upstream_unavailable', async () => {
      xpay.faults.next({ kind: 'reset' });
      expect(await failureOf(clientOf(xpay.url))).toMatchObject({ code: 'upstream_unavailable' });
    });

    it('I6 · hangs: upstream_timeout after http.timeoutMs', async () => {
      xpay.faults.next({ kind: 'hang' });
      expect(await failureOf(clientOf(xpay.url, 80))).toMatchObject({ code: 'upstream_timeout' });
    });

    it('I6 · a drop now and then does not prolong http.timeoutMs', async () => {
      let drip: NodeJS.Timeout | undefined;
      const url = await answering((_request, response) => {
        response.writeHead(200);
        drip = setInterval(() => response.write(' '), 20);
      });
      try {
        expect(await failureOf(clientOf(url, 150))).toMatchObject({ code: 'upstream_timeout' });
      } finally {
        clearInterval(drip);
      }
    });

    it('cut off in the middle of the body: upstream_unavailable', async () => {
      const url = await answering((_request, response) => {
        response.writeHead(200, { 'content-length': '100' });
        response.write('{"success"', () => response.destroy());
      });
      expect(await failureOf(clientOf(url))).toMatchObject({ code: 'upstream_unavailable' });
    });

    it('by something that is no HTTP: upstream_malformed', async () => {
      const url = await listen(createServer((socket) => socket.resume().end('220 mail.example.test ESMTP\r\n')));
      expect(await failureOf(clientOf(url))).toMatchObject({ code: 'upstream_malformed' });
    });

    it('because it was given up: upstream_timeout', async () => {
      xpay.faults.next({ kind: 'hang' });
      const controller = new AbortController();
      const failure = failureOf(clientOf(xpay.url), controller.signal);
      await xpay.waitForRequests(1);
      controller.abort(new Error(SECRET));
      expect(await failure).toMatchObject({ code: 'upstream_timeout' });
    });

    it('because it was aborted before it began: sends nothing', async () => {
      expect(await failureOf(clientOf(xpay.url), AbortSignal.abort())).toMatchObject({ code: 'upstream_timeout' });
      expect(xpay.requests()).toBe(0);
    });
  });

  describe('O17 · with an answer longer than http.maxResponseBytes is malformed', () => {
    it.each([true, false])('length declared: %p', async (declareLength) => {
      xpay.faults.next({ kind: 'oversized', bytes: 20_000, declareLength });
      expect(await failureOf(clientOf(xpay.url))).toMatchObject({ code: 'upstream_malformed' });
    });

    it('when unpacked', async () => {
      const bomb = gzipSync(Buffer.alloc(1_000_000));
      const url = await answering((_request, response) => {
        response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb);
      });
      expect(bomb.length).toBeLessThan(10_000);
      expect(await failureOf(clientOf(url))).toMatchObject({ code: 'upstream_malformed' });
    });

    it('and one that is just as long is read', async () => {
      xpay.faults.next({ kind: 'oversized', bytes: 10_000 });
      expect((await clientOf(xpay.url).send(REQUEST)).text).toHaveLength(10_000);
    });
  });

  it.each([301, 302, 307, 308])('B14 · never follows a redirect (%d)', async (status) => {
    await using elsewhere = await startXPayEmulator();
    xpay.faults.next({ kind: 'redirect', status, location: `${elsewhere.url}/client/authenticate` });
    expect((await clientOf(xpay.url).send(REQUEST)).status).toBe(status);
    expect(elsewhere.requests()).toBe(0);
  });

  it('B14 · goes through no proxy of the environment, to loopback or anywhere', async () => {
    let proxied = 0;
    const proxy = await listen(
      createHttpServer((_request, response) => {
        proxied++;
        response.end();
      }).on('connect', (_request, socket) => {
        proxied++;
        socket.end();
      }),
    );
    const names = ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'https_proxy', 'ALL_PROXY', 'all_proxy'];
    const before = names.map((name) => process.env[name]);
    for (const name of names) process.env[name] = proxy;
    try {
      await clientOf(xpay.url).send(REQUEST);
      await clientOf(xpay.url.replace('127.0.0.1', 'localhost')).send(REQUEST);
      for (const elsewhere of ['http://upstream.invalid', 'https://upstream.invalid']) {
        await failureOf(clientOf(elsewhere, 500));
      }
    } finally {
      names.forEach((name, i) => {
        if (before[i] === undefined) delete process.env[name];
        else process.env[name] = before[i];
      });
    }
    expect({ proxied, direct: xpay.requests() }).toEqual({ proxied: 0, direct: 2 });
  });
});
