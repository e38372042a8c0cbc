import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Controller, Get, Req } from '@nestjs/common';
import { GUARDS_METADATA } from '@nestjs/common/constants.js';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import * as crypto from 'node:crypto';
import { once } from 'node:events';
import { connect as openSession } from 'node:http2';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { inspect } from 'node:util';
import type { InboundSetting } from '../support/inbound-app.js';
import { OneConnection } from '../support/one-connection.js';
import { settled } from '../support/settled.js';
import { type Platform, basic, bearer, platforms } from '../support/start-app.js';

const hash = jest.fn(crypto.hash);
jest.unstable_mockModule('node:crypto', () => ({ ...crypto, hash }));
// Imported after the mock, so that the library computes its digests with the function that is counted.
const { Public, XPayAuthGuard } = await import('nestjs-xpay-auth');
const { RoutesController, ada, asAda, asRoot, root, startInbound, wrong } = await import('../support/inbound-app.js');

type Headers = Record<string, string>;

/** Returns how many digests a request costs, and its status. */
async function costOf(request: Promise<{ readonly status: number | undefined }>): Promise<[number, unknown]> {
  hash.mockClear();
  const { status } = await request;
  return [hash.mock.calls.length, status];
}

@Controller()
class InspectController {
  @Public()
  @Get('inspect')
  inspect(@Req() { socket }: { readonly socket: object }) {
    return { text: inspect(socket, { depth: Infinity, showHidden: true }) };
  }
}

/** An app, and one connection to it. */
async function startConnected(platform: Platform, setting: InboundSetting = {}) {
  const app = await startInbound(platform, { controllers: [RoutesController, InspectController], ...setting });
  const connection = new OneConnection(app.url);
  const send = (headers: Headers, path = '/me') => connection.send(path, headers);
  /** Sends requests until the connection is recognised by this line. */
  const recognise = async (headers: Headers = asAda) => {
    for (let i = 0; i < 3; i++) await send(headers);
    expect(await costOf(send(headers))).toEqual([0, 200]);
  };
  return {
    app,
    send,
    recognise,
    async [Symbol.asyncDispose]() {
      connection[Symbol.dispose]();
      await app[Symbol.asyncDispose]();
    },
  };
}

afterEach(() => void hash.mockClear());

describe.each(platforms)('a connection to %s', (platform) => {
  it('I15 · is recognised by an equal line, which costs no digest; a new connection costs one', async () => {
    await using stage = await startConnected(platform);
    const { app, send, recognise } = stage;
    await recognise();
    for (let i = 0; i < 5; i++) expect(await costOf(send(asAda))).toEqual([0, 200]);
    expect(await costOf(app.fetch('/me', { headers: asAda }))).toEqual([1, 200]);
    expect(app.asked()).toBe(1);
  });

  it('I15 · is recognised by the line of a session', async () => {
    await using stage = await startConnected(platform);
    const { accessToken } = await stage.app.sessions.login(root);
    await stage.recognise(bearer(accessToken));
    await stage.app.sessions.logout(accessToken);
    expect((await stage.send(bearer(accessToken))).status).toBe(401);
  });

  it('I15 · is never recognised again after two different lines, whether the second one is accepted or not', async () => {
    for (const [other, status] of [
      [asRoot, 200],
      [wrong(), 401],
      [{ authorization: 'Basic %' }, 400],
      [{ authorization: 'Digest username="ada"' }, 401],
      [bearer('unknown'), 401],
    ] as const) {
      await using stage = await startConnected(platform);
      const { send, recognise } = stage;
      await recognise();
      expect((await send(other)).status).toBe(status);
      for (let i = 0; i < 5; i++) expect(await costOf(send(asAda))).toEqual([1, 200]);
    }
  });

  it('I15 · is not recognised where a rejected line came before the accepted one', async () => {
    await using stage = await startConnected(platform);
    const { send } = stage;
    expect((await send(wrong())).status).toBe(401);
    for (let i = 0; i < 3; i++) await send(asAda);
    expect(await costOf(send(asAda))).toEqual([1, 200]);
  });

  it('I15 · is still recognised after requests without credentials, which stay anonymous', async () => {
    await using stage = await startConnected(platform);
    const { send, recognise } = stage;
    await recognise();
    expect((await send({})).status).toBe(401);
    expect(await send({}, '/optional')).toMatchObject({ status: 200, body: { username: 'nobody' } });
    expect(await costOf(send(asAda))).toEqual([0, 200]);
  });

  it('I15 · is never recognised with cachePerConnection: false', async () => {
    await using stage = await startConnected(platform, { options: { verification: { cachePerConnection: false } } });
    for (let i = 0; i < 3; i++) await stage.send(asAda);
    expect(await costOf(stage.send(asAda))).toEqual([1, 200]);
  });

  it('I15 · does not change the decision: scopes, revocation, expiry and a changed key', async () => {
    await using stage = await startConnected(platform);
    const { app, send, recognise } = stage;
    await recognise();
    expect((await send(asAda, '/admin')).status).toBe(403);
    await app.sessions.revokeUser(ada.username);
    app.xpay.setSecret(ada.username, 'another-secret-key');
    expect((await send(asAda)).status).toBe(401);
    app.xpay.setSecret(ada.username, ada.secretKey);
    await app.clock.advance(5_000);
    await recognise();
    await app.clock.advance(60_000);
    app.xpay.setSecret(ada.username, 'another-secret-key');
    expect((await send(asAda)).status).toBe(401);
    app.xpay.setSecret(ada.username, ada.secretKey);
    await app.clock.advance(5_000);
    await recognise();
    // Another connection presents the new key.
    app.xpay.setSecret(ada.username, 'another-secret-key');
    expect(await app.status('/me', basic(ada.username, 'another-secret-key'))).toBe(200);
    expect((await send(asAda)).status).toBe(401);
  });

  it('I15 · renews a recognised caller in the background', async () => {
    await using stage = await startConnected(platform);
    const { app, send, recognise } = stage;
    await recognise();
    await app.clock.advance(45_000);
    expect((await send(asAda)).status).toBe(200);
    await settled(() => app.events.filter(({ type }) => type === 'verified').length === 2);
  });

  it('I15 I9 · a second Authorization line is 400 on a recognised connection', async () => {
    await using app = await startInbound(platform);
    const { hostname, port } = new URL(app.url);
    const socket = connect(Number(port), hostname);
    const answers = text(socket);
    const line = `Authorization: ${asAda.authorization}\r\n`;
    const requests = [line, line, line, `${line}${line}`, `${line}Authorization: ${asRoot.authorization}\r\n`, line];
    for (const [at, lines] of requests.entries()) {
      const last = at === requests.length - 1 ? 'Connection: close\r\n' : '';
      socket.write(`GET /me HTTP/1.1\r\nHost: app\r\n${last}${lines}\r\n`);
    }
    const statuses = (await answers).match(/HTTP\/1\.1 \d+/g)?.map((match) => Number(match.slice(-3)));
    expect(statuses).toEqual([200, 200, 200, 400, 400, 200]);
  });

  it('I15 · pipelined requests of two callers each get their own answer', async () => {
    await using app = await startInbound(platform);
    const { hostname, port } = new URL(app.url);
    const socket = connect(Number(port), hostname);
    const answers = text(socket);
    const callers = [asAda, asAda, asRoot, asAda, asRoot, asRoot];
    const requests = callers.map(({ authorization }, at) => {
      const last = at === callers.length - 1 ? 'Connection: close\r\n' : '';
      return `GET /me HTTP/1.1\r\nHost: app\r\n${last}Authorization: ${authorization}\r\n\r\n`;
    });
    socket.write(requests.join(''));
    const names = (await answers).match(/(?:ada|root)@example\.test/g);
    expect(names).toEqual(callers.map((caller) => (caller === asAda ? ada : root).username));
  });

  it('I15 · other credentials beside the recognised line are 400', async () => {
    const apiKey = {
      scheme: 'ApiKey',
      extract: ({ headers }: { headers: Record<string, unknown> }) =>
        headers['x-api-key'] === undefined ? undefined : { username: root.username, secretKey: root.secretKey },
    };
    const options = { verification: { extractors: ['basic', apiKey] as const } };
    await using stage = await startConnected(platform, { options });
    for (let i = 0; i < 3; i++) expect((await stage.send(asAda)).status).toBe(200);
    expect((await stage.send({ ...asAda, 'x-api-key': 'key' })).status).toBe(400);
  });

  it('I15 · the address of the client is read for each request of a recognised connection', async () => {
    await using stage = await startConnected(platform, { trustProxy: true });
    const { app, send, recognise } = stage;
    await recognise();
    for (const address of ['198.51.100.1', '198.51.100.2']) {
      expect((await send({ ...asAda, 'x-forwarded-for': address }, '/admin')).status).toBe(403);
      expect(app.events.at(-1)).toMatchObject({ type: 'denied', address });
    }
  });

  it('I15 B9 · the line of a recognised connection is printed nowhere', async () => {
    await using stage = await startConnected(platform);
    const { app, send, recognise } = stage;
    await recognise();
    const [, encoded = ''] = asAda.authorization.split(' ');
    const { body } = await send({}, '/inspect');
    const guard = inspect(app.app.get(XPayAuthGuard), { depth: Infinity, showHidden: true });
    for (const printed of [(body as { text: string }).text, guard]) {
      expect(printed.length).toBeGreaterThan(0);
      expect(printed).not.toContain(encoded);
      expect(printed).not.toContain(ada.secretKey);
    }
  });
});

describe('an HTTP/2 session', () => {
  it('I15 · is recognised like a connection, for all of its streams', async () => {
    const adapter = new FastifyAdapter({ http2: true });
    await using app = await startInbound('fastify', { serving: { adapter } });
    const session = openSession(app.url);
    const send = async (headers: Headers) => {
      const stream = session.request({ ':path': '/me', ...headers });
      const [answer] = (await once(stream, 'response')) as [{ ':status'?: number }];
      await text(stream);
      return { status: answer[':status'] };
    };
    for (let i = 0; i < 3; i++) await send(asAda);
    expect(await costOf(send(asAda))).toEqual([0, 200]);
    expect((await send(wrong())).status).toBe(401);
    expect(await costOf(send(asAda))).toEqual([1, 200]);
    session.destroy();
  });
});

describe('a decorator', () => {
  it('I15 · puts one guard on a route', () => {
    const routes = RoutesController.prototype as unknown as Record<string, object>;
    for (const name of ['me', 'user', 'admin', 'optional']) {
      expect(Reflect.getMetadata(GUARDS_METADATA, routes[name] ?? {})).toEqual([XPayAuthGuard]);
    }
  });
});
