import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type XPayEmulator, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { type SpawnedProgram, ensureBuilt, spawnBuiltApp } from '../support/built-app.js';
import { basic, platforms } from '../support/start-app.js';

const USER = { username: 'user@example.test', secretKey: 'key-of-user-1', scopes: ['tme_user', 'tme_admin'] };
const NEWCOMER = { username: 'newcomer@example.test', secretKey: 'key-of-newcomer-1' };
const APP = { username: 'this-app@example.test', secretKey: 'key-of-app-1' };

const listening = async (app: SpawnedProgram): Promise<string> =>
  (await app.printed(/Listening on (http:\S+)/))[1] ?? '';
const me = (url: string, { username, secretKey }: typeof NEWCOMER): Promise<Response> =>
  fetch(`${url}/me`, { headers: basic(username, secretKey) });

beforeAll(ensureBuilt, 180_000);

describe('the built app does not boot', () => {
  it.each([
    [
      'in production with nothing configured',
      { NODE_ENV: 'production' },
      /NODE_ENV is production and nothing is configured/,
    ],
    ['with half an account', { XPAY_USERNAME: APP.username }, /has XPAY_USERNAME but no XPAY_SECRET_KEY/],
    [
      'with a base URL over http',
      { XPAY_BASE_URL: 'http://xpay.example.test' },
      /option baseUrl \(from XPAY_BASE_URL\): .* https:.*XPAY_ALLOW_INSECURE_HOSTS/,
    ],
    ['with no list of proxies', { TRUST_PROXY: 'foo' }, /TRUST_PROXY: foo is no list of addresses/],
    ['on an invalid port', { PORT: '70000' }, /PORT: 70000 is no port/],
    ['on an unknown platform', { PLATFORM: 'koa' }, /PLATFORM: koa is neither "fastify" nor "express"/],
  ])('%s, and prints the reason', async (_when, environment, message) => {
    await using app = await spawnBuiltApp(environment);
    const { code, signal } = await app.ended();
    expect(code === 0 || signal === 'SIGKILL').toBe(false);
    expect(app.output()).toMatch(message);
    expect(app.output()).not.toMatch(/DEMO|Listening/);
  });
});

describe.each(platforms)('the built app on %s, with its own upstream', (PLATFORM) => {
  let xpay: XPayEmulator;
  let app: SpawnedProgram;
  let url: string;
  beforeEach(async () => {
    xpay = await startXPayEmulator({ accounts: [USER, NEWCOMER, APP] });
    app = await spawnBuiltApp({
      PLATFORM,
      NODE_ENV: 'production',
      XPAY_BASE_URL: xpay.url,
      XPAY_USERNAME: APP.username,
      XPAY_SECRET_KEY: APP.secretKey,
    });
    url = await listening(app);
  });
  afterEach(async () => {
    await app[Symbol.asyncDispose]();
    await xpay.stop();
  });

  it('I6 · upstream down: 503 with Retry-After for a new caller, while a cached one is accepted', async () => {
    expect((await me(url, USER)).status).toBe(200);
    await xpay.pause();
    const newcomer = await me(url, NEWCOMER);
    expect(newcomer.status).toBe(503);
    expect(Number(newcomer.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(newcomer.headers.has('www-authenticate')).toBe(false);
    expect((await me(url, USER)).status).toBe(200);
    await xpay.resume();
    expect((await me(url, NEWCOMER)).status).toBe(200);
  });

  it('names its variable TRUST_PROXY when a request comes through a proxy that it does not trust', async () => {
    await fetch(`${url}/me`, { headers: { ...basic(USER.username, USER.secretKey), 'x-forwarded-for': '192.0.2.7' } });
    await app.printed(/a proxy this app does not trust.* Set TRUST_PROXY to the addresses of your proxies\.$/m);
    expect(app.output()).not.toMatch(/`trust proxy`|`trustProxy`/);
  });

  it('O17 · its log contains no key, and nothing of a demo', async () => {
    await me(url, USER);
    await me(url, { ...USER, secretKey: 'guessed-key-1' });
    for (const path of ['wallets/find', 'app/wallets/find']) {
      await fetch(`${url}/${path}`, { method: 'POST', headers: basic(USER.username, USER.secretKey) });
    }
    await app.printed(/Access token obtained/);
    for (const key of [USER.secretKey, 'guessed-key-1', APP.secretKey]) expect(app.output()).not.toContain(key);
    expect(app.output()).not.toMatch(/DEMO|curl/);
  });

  it('O19 · SIGTERM: callers who wait for the upstream get a response, connections are closed, and the process ends', async () => {
    expect((await me(url, USER)).status).toBe(200);
    xpay.faults.always({ kind: 'hang' });
    const waiting = me(url, NEWCOMER);
    await xpay.waitForRequests(2, '/client/authenticate');
    app.kill('SIGTERM');
    const answer = await waiting;
    expect(answer.status).toBe(503);
    expect(await answer.json()).toMatchObject({ errorCode: 'shutting_down' });
    // Nest runs its hooks and then ends the process with the signal it received.
    expect(await app.ended()).toEqual({ code: null, signal: 'SIGTERM' });
    await expect(me(url, USER)).rejects.toThrow();
  });
});

it('SIGTERM also ends the demo and its emulator', async () => {
  await using app = await spawnBuiltApp();
  await fetch(`${await listening(app)}/health`);
  app.kill('SIGTERM');
  expect(await app.ended()).toEqual({ code: null, signal: 'SIGTERM' });
});
