import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { type XPayEmulator, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { ensureBuilt, spawnNode } from '../support/built-app.js';
import { type Platform, basic, platforms } from '../support/start-app.js';

const root = resolve(import.meta.dirname, '../..');
const compiled = (name: string): string => join(root, `examples/existing-app/dist/existing-app/${name}.js`);
const program = (name: string): string => join(import.meta.dirname, `${name}.mjs`);

const ada = { username: 'ada@example.test', secretKey: 'ada-secret-key', scopes: ['tme_user', 'tme_admin'] };
const app = { username: 'this-app@example.test', secretKey: 'key-of-app-1' };
const asAda = basic(ada.username, ada.secretKey);
let xpay: XPayEmulator;

beforeAll(async () => {
  await ensureBuilt();
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  await promisify(execFile)(process.execPath, [tsc, '-p', join(root, 'examples/existing-app')]);
  xpay = await startXPayEmulator({ accounts: [ada, app] });
}, 240_000);
afterAll(() => xpay.stop());

const environment = (): Record<string, string> => ({
  XPAY_BASE_URL: xpay.url,
  XPAY_USERNAME: app.username,
  XPAY_SECRET_KEY: app.secretKey,
});
const logins = (account: string): number =>
  xpay.ledger.filter(({ path, account: one }) => path === '/client/authenticate' && one === account).length;

describe('@nestjs/throttler beside the guards', () => {
  it.each(platforms)('N5 · on %s, throttles in AppModule before the credentials are checked', async (platform) => {
    await using server = await spawnNode(program('serve'), environment(), [compiled('throttler'), platform]);
    const [, url = ''] = await server.printed(/Listening on (\S+)/);
    const statuses = new Set<number>();
    for (let request = 0; request < 100; request++) statuses.add((await fetch(`${url}/me`, { headers: asAda })).status);
    expect([...statuses]).toEqual([200]);
    const asked = xpay.requests('/client/authenticate');
    const answer = await fetch(`${url}/me`, { headers: basic('new@example.test', 'key') });
    // The 429 of the throttler has no errorCode. The 429 of the library has the errorCode too_many_attempts.
    expect([answer.status, await answer.json()]).toEqual([
      429,
      expect.not.objectContaining({ errorCode: expect.anything() }),
    ]);
    expect(xpay.requests('/client/authenticate')).toBe(asked);
  });
});

/** Sends a request to the app of a file. Returns what the app logged. */
const logOf = async (file: string, platform: Platform): Promise<string> => {
  await using server = await spawnNode(program('serve'), environment(), [file, platform]);
  const [, url = ''] = await server.printed(/Listening on (\S+)/);
  const headers = { ...asAda, cookie: 'sid=session-of-ada' };
  expect((await fetch(`${url}/me`, { headers })).status).toBe(200);
  await server.printed(/request completed/);
  return server.output();
};

describe('nestjs-pino beside the guards', () => {
  it.each(platforms)(
    'N5 · on %s, logs the credentials of a caller only without the redact option',
    async (platform) => {
      const redacted = await logOf(compiled('logging'), platform);
      expect(redacted).toContain('"authorization":"[Redacted]"');
      expect(redacted).not.toMatch(new RegExp(`${asAda.authorization}|session-of-ada`));
      const complete = await logOf(program('pino-without-redact'), platform);
      expect(complete).toContain(asAda.authorization);
      expect(complete).toContain('session-of-ada');
    },
  );
});

describe('a serverless host', () => {
  it('N5 · shares one login of the app and one check of a caller between invocations, and lets the process end', async () => {
    const before = { app: logins(app.username), ada: logins(ada.username) };
    const args = [compiled('serverless'), asAda.authorization];
    await using invoked = await spawnNode(program('invoke'), environment(), args);
    // No timer or socket keeps the process alive, although the app is not closed.
    expect(await invoked.ended()).toEqual({ code: 0, signal: null });
    expect(invoked.output()).toMatch(/^statuses 200 200 200 200 200 401$/m);
    expect([logins(app.username) - before.app, logins(ada.username) - before.ada]).toEqual([1, 1]);
  });
});
