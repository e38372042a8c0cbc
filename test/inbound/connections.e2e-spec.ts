import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Controller, Get, Req } from '@nestjs/common';
import * as crypto from 'node:crypto';
import { inspect } from 'node:util';
import type { InboundSetting } from '../support/inbound-app.js';
import { OneConnection } from '../support/one-connection.js';
import { type Platform, basic, bearer, platforms } from '../support/start-app.js';

const digest = jest.fn(crypto.hash);
jest.unstable_mockModule('node:crypto', () => ({ ...crypto, hash: digest }));
// Loaded after the line above, so that the library digests with the function that is counted.
const { Public } = await import('nestjs-xpay-auth');
const { RoutesController, ada, asAda, asRoot, root, startInbound, wrong } = await import('../support/inbound-app.js');

/** Returns the number of digests that are computed meanwhile, and the status of the answer. */
async function costOf(answer: () => Promise<{ readonly status: number | undefined }>): Promise<[number, unknown]> {
  digest.mockClear();
  const { status } = await answer();
  return [digest.mock.calls.length, status];
}

@Controller()
class SocketController {
  @Public()
  @Get('inspect')
  inspect(@Req() request: { readonly socket: object }) {
    return { text: inspect(request.socket, { depth: Infinity, showHidden: true }) };
  }
}

/** An app, and one connection to it. */
async function startWithConnection(platform: Platform, setting: InboundSetting = {}) {
  const app = await startInbound(platform, { controllers: [RoutesController, SocketController], ...setting });
  const connection = new OneConnection(app.url);
  return {
    app,
    send: (headers: Record<string, string>, path = '/me') => connection.send(path, headers),
    async [Symbol.asyncDispose]() {
      connection[Symbol.dispose]();
      await app[Symbol.asyncDispose]();
    },
  };
}

/** Sends requests of a caller until the caller is cached and the connection is recognised. */
async function recognise(send: (headers: Record<string, string>) => Promise<unknown>, headers = asAda): Promise<void> {
  for (let i = 0; i < 3; i++) await send(headers);
}

afterEach(() => void digest.mockClear());

describe.each(platforms)('a connection to %s', (platform) => {
  it('I15 · is recognised: an equal line costs no digest, and one on a new connection costs one', async () => {
    await using stage = await startWithConnection(platform);
    const { app, send } = stage;
    await recognise(send);
    for (let i = 0; i < 5; i++) expect(await costOf(() => send(asAda))).toEqual([0, 200]);
    expect(await costOf(() => app.fetch('/me', { headers: asAda }))).toEqual([1, 200]);
    expect(app.asked()).toBe(1);
  });
});
