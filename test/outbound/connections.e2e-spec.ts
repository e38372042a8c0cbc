import { describe, expect, it } from '@jest/globals';
import { type HttpOptions, XPaySessionService } from 'nestjs-xpay-auth';
import { AUTHENTICATE, APP, CONFIRM, FIND, HOUR_MS, startOutbound } from './outbound.js';
import { ManualClock, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { undiciTransport } from 'nestjs-xpay-auth/undici';
import { KeepAliveProxy } from '../support/keep-alive-proxy.js';

const BOB = { username: 'bob@example.test', secretKey: 'bob-secret-31415926' };
const ADA = { username: 'ada@example.test', secretKey: 'ada-secret-16180339' };

/** An app whose upstream is behind a proxy that breaks connections. */
async function startBehindProxy(http: HttpOptions) {
  const clock = new ManualClock();
  const xpay = await startXPayEmulator({ accounts: [APP, BOB, ADA], clock, tokenLifeMs: HOUR_MS });
  const proxy = await KeepAliveProxy.before(xpay.url);
  const outbound = await startOutbound({ baseUrl: proxy.url, http }, {}, undefined, clock);
  return {
    ...outbound,
    xpay,
    proxy,
    sessions: outbound.module.get(XPaySessionService),
    [Symbol.asyncDispose]: async () => {
      await outbound[Symbol.asyncDispose]();
      await proxy[Symbol.asyncDispose]();
      await xpay.stop();
    },
  };
}

const resetting =
  (path: string, action: 'reset' | 'process and reset' | 'partial' = 'reset') =>
  (request: string, requestsBefore: number) =>
    request.includes(` ${path} `) && requestsBefore > 0 ? action : 'pass';

/** An answer to a login that no request asked for, as bytes. */
async function loginAnswer(url: string, { username, secretKey }: typeof BOB): Promise<string> {
  const answer = await fetch(`${url}${AUTHENTICATE}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username, secretKey, isAPI: true }),
  });
  const body = await answer.text();
  return `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
}

const nextTurn = () => new Promise<void>((resolve) => void setImmediate(resolve));

const TRANSPORTS: Readonly<Record<string, () => HttpOptions>> = {
  axios: () => ({}),
  undici: () => ({ transport: undiciTransport() }),
};

describe.each(Object.entries(TRANSPORTS))('with %s', (_name, httpOptions) => {
  const http = httpOptions();

  describe('a login whose reused connection is reset before any byte of an answer', () => {
    it('E6 · is repeated at once for the app account, on a new connection', async () => {
      await using app = await startBehindProxy(http);
      const first = await app.tokens.getToken();
      app.proxy.onRequest = resetting(AUTHENTICATE);
      await app.tokens.invalidate(first);
      expect((await app.tokens.getToken()).value).not.toBe(first.value);
      expect({ logins: app.proxy.count(AUTHENTICATE), connections: app.proxy.connections }).toEqual({
        logins: 3,
        connections: 2,
      });
    });

    it('E6 · is repeated at once for a caller', async () => {
      await using app = await startBehindProxy(http);
      await app.sessions.login(BOB);
      app.proxy.onRequest = resetting(AUTHENTICATE);
      await expect(app.sessions.login(ADA)).resolves.toBeDefined();
      expect(app.proxy.count(AUTHENTICATE)).toBe(3);
    });

    it('E6 · uses none of the idle connections for the repeat', async () => {
      await using app = await startBehindProxy(http);
      await Promise.all([app.sessions.login(BOB), app.sessions.login(ADA), app.tokens.getToken()]);
      expect(app.proxy.connections).toBe(3);
      app.proxy.onRequest = resetting(AUTHENTICATE);
      await expect(app.sessions.login(ADA)).resolves.toBeDefined();
      expect(app.proxy.count(AUTHENTICATE)).toBe(5);
    });

    it('E6 · is repeated once, not twice', async () => {
      await using app = await startBehindProxy(http);
      await app.sessions.login(BOB);
      app.proxy.onRequest = (request) => (request.includes(AUTHENTICATE) ? 'reset' : 'pass');
      await expect(app.sessions.login(ADA)).rejects.toMatchObject({ code: 'upstream_unavailable' });
      expect(app.proxy.count(AUTHENTICATE)).toBe(3);
    });

    it('E6 · is not repeated on a new connection', async () => {
      await using app = await startBehindProxy(http);
      app.proxy.onRequest = () => 'reset';
      await expect(app.sessions.login(BOB)).rejects.toMatchObject({ code: 'upstream_unavailable' });
      expect(app.proxy.count(AUTHENTICATE)).toBe(1);
    });

    it('E6 · is not repeated after a part of an answer', async () => {
      await using app = await startBehindProxy(http);
      await app.sessions.login(BOB);
      app.proxy.onRequest = resetting(AUTHENTICATE, 'partial');
      await expect(app.sessions.login(ADA)).rejects.toMatchObject({ code: 'upstream_unavailable' });
      expect(app.proxy.count(AUTHENTICATE)).toBe(2);
    });
  });

  describe('a call of the API whose reused connection is reset', () => {
    it.each([
      ['before the upstream received it', 'reset', CONFIRM],
      ['after the upstream processed it', 'process and reset', CONFIRM],
      ['and that only reads', 'reset', FIND],
    ] as const)('E6 · is never repeated: %s', async (_, action, path) => {
      await using app = await startBehindProxy(http);
      await app.tokens.getToken();
      app.proxy.onRequest = resetting(path, action);
      const call = app.http.post(path, {});
      await expect(call).rejects.toMatchObject({ code: 'upstream_unavailable', cause: { code: 'ECONNRESET' } });
      expect(app.proxy.count(path)).toBe(1);
      expect(app.xpay.requests(path)).toBe(action === 'reset' ? 0 : 1);
    });
  });

  describe('an answer that no request asked for, on an idle connection', () => {
    it.each(['at the moment of the next call', 'before the next call'])('E10 · answers no login: %s', async (when) => {
      await using app = await startBehindProxy(http);
      const unsolicited = await loginAnswer(app.xpay.url, BOB);
      await app.sessions.login(BOB);
      for (let turn = 0; turn < 3; turn++) await nextTurn();
      app.proxy.write(unsolicited);
      if (when === 'before the next call') for (let turn = 0; turn < 10; turn++) await nextTurn();
      const login = app.sessions.login({ ...ADA, secretKey: 'wrong' });
      await expect(login).rejects.toMatchObject({ code: 'invalid_credentials' });
      expect(app.proxy.connections).toBe(2);
    });

    it('E10 · is no data of an API call', async () => {
      await using app = await startBehindProxy(http);
      await app.tokens.getToken();
      for (let turn = 0; turn < 3; turn++) await nextTurn();
      const body = JSON.stringify({ success: { message: 'Found', data: ['not yours'] }, uuid: 'x' });
      app.proxy.write(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
      expect(await app.http.post(FIND, { page: 1, pageSize: 1 })).not.toEqual(['not yours']);
      expect(app.xpay.requests(FIND)).toBe(1);
    });
  });
});
