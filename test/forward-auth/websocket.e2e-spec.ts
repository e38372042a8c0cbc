import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { type IncomingMessage, type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import type { RunningProxy } from '../support/proxy-program.js';
import { basicLine, rawGet } from '../support/raw-request.js';
import { type RunningApp, basic } from '../support/start-app.js';
import { type XPayEmulator, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { startReferenceApp } from '../support/reference-app.js';
import { USER, stages, startProxy } from './stage.js';

describe.each(stages)('a WebSocket through %s, with the reference app on %s', (program, platform) => {
  let xpay: XPayEmulator;
  let app: RunningApp;
  let server: Server;
  let proxy: RunningProxy;
  /** The upgrade requests that reached the protected program. */
  const upgrades: IncomingMessage[] = [];

  beforeAll(async () => {
    xpay = await startXPayEmulator({ accounts: [USER] });
    app = await startReferenceApp(platform, { XPAY_BASE_URL: xpay.url }, 'loopback');
    const sockets = new WebSocketServer({ noServer: true });
    server = createServer((_request, response) => response.end('no upgrade'));
    server.on('upgrade', (request, socket, head) => {
      upgrades.push(request);
      if (request.headers.upgrade?.toLowerCase() !== 'websocket') {
        socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n');
        return;
      }
      sockets.handleUpgrade(request, socket, head, (webSocket) => {
        webSocket.on('message', (data, isBinary) => webSocket.send(data, { binary: isBinary }));
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const siteUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    proxy = await startProxy[program]({ appUrl: app.url, siteUrl });
  });
  afterAll(async () => {
    await proxy[Symbol.asyncDispose]();
    server.closeAllConnections();
    server.close();
    await app.stop();
    await xpay.stop();
  });

  const open = (headers: Record<string, string>) =>
    new WebSocket(`${proxy.url.replace('http', 'ws')}/app/prices?x=1`, { headers });

  it('D15 · opens for a valid caller, and carries messages both ways', async () => {
    const socket = open(basic(USER.username, USER.secretKey));
    await once(socket, 'open');
    for (const message of ['first', 'ä€'.repeat(50_000)]) {
      socket.send(message);
      const [echo] = (await once(socket, 'message')) as [Buffer];
      expect(echo.toString()).toBe(message);
    }
    socket.close(4000, 'done');
    expect((await once(socket, 'close'))[0]).toBe(4000);
    expect(upgrades.at(-1)).toMatchObject({
      url: '/app/prices?x=1',
      headers: { 'x-auth-user': 'user%40example.test' },
    });
    expect(upgrades.at(-1)?.headers).not.toHaveProperty('authorization');
  });

  it.each<[string, Record<string, string>]>([
    ['no credentials', {}],
    ['a wrong key', basic(USER.username, 'wrong')],
  ])('D15 · is refused with 401 for %s, and the program is not reached', async (_what, headers) => {
    const before = upgrades.length;
    const socket = open(headers);
    const [, answer] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
    expect(answer.statusCode).toBe(401);
    answer.destroy();
    socket.on('error', () => undefined).terminate();
    expect(upgrades).toHaveLength(before);
  });

  it.each([
    [['Upgrade: h2c']],
    [['Upgrade: HTTP/2.0']],
    [['Upgrade: TLS/1.0']],
    [['Upgrade: websocket, h2c']],
    [['Upgrade: h2c', 'Upgrade: websocket']],
    [['Upgrade: websocket', 'Upgrade: h2c']],
  ])('D15 · passes only an upgrade to a WebSocket on: %j', async (lines) => {
    upgrades.length = 0;
    await rawGet(proxy.url, '/app/', [
      basicLine(`${USER.username}:${USER.secretKey}`),
      'Connection: Upgrade, HTTP2-Settings',
      'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA',
      ...lines,
    ]);
    expect(upgrades.map(({ headers }) => headers.upgrade).filter((protocol) => protocol !== 'websocket')).toEqual([]);
  });
});
