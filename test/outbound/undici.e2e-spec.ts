import { describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { type Socket, createServer } from 'node:net';
import { Agent as HttpAgent } from 'node:http';
import { inspect } from 'node:util';
import { XPayAuthModule } from 'nestjs-xpay-auth';
import { undiciTransport } from 'nestjs-xpay-auth/undici';
import { type Fault } from 'nestjs-xpay-auth/testing';
import { Agent, type Dispatcher, getGlobalDispatcher, setGlobalDispatcher } from 'undici';
import { Test } from '@nestjs/testing';
import { APP, FIND, failureOf, startOutbound } from './outbound.js';

const undici = () => ({ http: { transport: undiciTransport() } });

describe('the undici transport', () => {
  it('E10 · obtains a token and calls the API', async () => {
    await using app = await startOutbound(undici());
    await expect(app.http.post(FIND, {})).resolves.toEqual(expect.any(Array));
    expect(app.logins()).toBe(1);
  });

  it('O17 · uses no global dispatcher of the app', async () => {
    const before = getGlobalDispatcher();
    const seen: string[] = [];
    class SpyAgent extends Agent {
      override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
        seen.push(options.path);
        return super.dispatch(options, handler);
      }
    }
    setGlobalDispatcher(new SpyAgent());
    try {
      await using app = await startOutbound(undici());
      await app.tokens.getToken();
      expect(seen).toEqual([]);
    } finally {
      setGlobalDispatcher(before);
    }
  });

  it('O19 · closes its idle connections with the instance', async () => {
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      sockets.push(socket.on('error', () => undefined));
      const body = JSON.stringify({ success: { data: { user: {}, access_token: 'x' } } });
      socket.on('data', () => socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const app = await startOutbound({ ...undici(), baseUrl: `http://127.0.0.1:${port}` });
    await app.tokens.getToken().catch(() => undefined);
    expect(sockets.map(({ destroyed }) => destroyed)).toEqual([false]);
    await app[Symbol.asyncDispose]();
    server.close();
    // Closes once it has no connection left.
    await once(server, 'close');
  });

  it.each<Fault>([
    { kind: 'reset' },
    { kind: 'redirect', location: 'http://127.0.0.1:1/' },
    { kind: 'status', status: 422, body: APP.secretKey },
    { kind: 'notJson' },
  ])('O17 · shows no secret in the failure of a request: %j', async (fault) => {
    await using app = await startOutbound(undici());
    app.xpay.faults.next(fault);
    const failure = await failureOf(app.tokens.getToken());
    const shown = inspect(failure, { depth: Infinity, showHidden: true });
    expect(shown).not.toContain(APP.secretKey);
    expect(shown).not.toContain(Buffer.from(APP.secretKey).toString('hex'));
  });

  it('fails the boot together with http.agent', async () => {
    const http = { transport: undiciTransport(), agent: { http: new HttpAgent() } };
    const boot = Test.createTestingModule({ imports: [XPayAuthModule.forRoot({ http })] }).compile();
    await expect(boot).rejects.toThrow(
      'XPayAuthModule option http.transport: not possible together with http.agent, which only axios uses; remove one of them.',
    );
  });
});
