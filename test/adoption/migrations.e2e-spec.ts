import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Type } from '@nestjs/common';
import { type XPayEmulator, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import * as axiosAfter from '../../examples/migration/axios-after.js';
import * as axiosBefore from '../../examples/migration/axios-before.js';
import * as axiosOwnClient from '../../examples/migration/axios-own-client.js';
import * as guardAfter from '../../examples/migration/guard-after.js';
import * as guardBefore from '../../examples/migration/guard-before.js';
import * as jwtAfter from '../../examples/migration/jwt-after.js';
import * as jwtBefore from '../../examples/migration/jwt-before.js';
import * as passportAfter from '../../examples/migration/passport-after.js';
import * as passportBefore from '../../examples/migration/passport-before.js';
import * as passportStep from '../../examples/migration/passport-step.js';
import { setEnvironment } from '../support/environment.js';
import { type RunningApp, basic, bearer, startApp } from '../support/start-app.js';

interface Version {
  readonly AppModule: Type;
}

const ada = { username: 'ada@example.test', secretKey: 'ada:secret:key', scopes: ['tme_user'] };
const bob = { username: 'bob@example.test', secretKey: 'bob-secret-key', scopes: ['tme_user'] };
const account = { username: 'this-app@example.test', secretKey: 'key-of-app-1' };
const asBob = basic(bob.username, bob.secretKey);

let xpay: XPayEmulator;
let restore: () => void;
beforeEach(async () => {
  xpay = await startXPayEmulator({ accounts: [ada, bob, account] });
  restore = setEnvironment({
    XPAY_BASE_URL: xpay.url,
    XPAY_USERNAME: account.username,
    XPAY_SECRET_KEY: account.secretKey,
  });
});
afterEach(async () => {
  restore();
  await xpay.stop();
});

const start = ({ AppModule }: Version): Promise<RunningApp> => startApp('express', { imports: [AppModule] });
const get = async (app: RunningApp, path: string, headers: Record<string, string> = {}) => {
  const answer = await app.fetch(path, { headers });
  return { status: answer.status, body: await answer.json() };
};
const statuses = async (app: RunningApp, requests: number, path: string, headers?: Record<string, string>) => {
  const answers = await Promise.all(Array.from({ length: requests }, () => get(app, path, headers)));
  return [...new Set(answers.map(({ status }) => status))];
};
const logins = (): number => xpay.requests('/client/authenticate');

const guards: readonly [string, Version][] = [
  ['before', guardBefore],
  ['after', guardAfter],
];
describe.each(guards)('docs/migrate-guard.md, %s', (_when, version) => {
  it('N5 · accepts a caller with the scope, and answers 401 and 403 to others', async () => {
    await using app = await start(version);
    expect(await get(app, '/me', asBob)).toEqual({ status: 200, body: { username: bob.username } });
    expect((await get(app, '/admin', asBob)).status).toBe(403);
    expect((await get(app, '/me')).status).toBe(401);
    expect((await get(app, '/me', basic(bob.username, 'wrong'))).status).toBe(401);
  });
});

describe('the differences in docs/migrate-guard.md', () => {
  it.each<[string, Version, number]>([
    ['before', guardBefore, 20],
    ['after', guardAfter, 1],
  ])('N5 · %s: 20 requests of a caller', async (_when, version, calls) => {
    await using app = await start(version);
    expect(await statuses(app, 20, '/me', asBob)).toEqual([200]);
    expect(logins()).toBe(calls);
  });

  it.each<[string, Version, number, number]>([
    ['before', guardBefore, 500, 500],
    ['after', guardAfter, 200, 503],
  ])(
    'N5 · %s: an outage of xPay, for a caller who was verified before and for a new one',
    async (_when, version, ...expected) => {
      await using app = await start(version);
      expect((await get(app, '/me', asBob)).status).toBe(200);
      await xpay.pause();
      const seen = [await get(app, '/me', asBob), await get(app, '/me', basic('new@example.test', 'key'))];
      expect(seen.map(({ status }) => status)).toEqual(expected);
    },
  );

  it.each<[string, Version, number]>([
    ['before', guardBefore, 401],
    ['after', guardAfter, 200],
  ])('N5 · %s: a secret key that contains a colon', async (_when, version, expected) => {
    await using app = await start(version);
    expect((await get(app, '/me', basic(ada.username, ada.secretKey))).status).toBe(expected);
  });

  it.each<[string, Version, number]>([
    ['before', guardBefore, 30],
    ['after', guardAfter, 10],
  ])('N5 · %s: 30 guesses of the key of one user', async (_when, version, calls) => {
    await using app = await start(version);
    for (let guess = 0; guess < 30; guess++) await get(app, '/me', basic(bob.username, `guess-${guess}`));
    expect(logins()).toBe(calls);
  });
});

const passports: readonly [string, Version][] = [
  ['before', passportBefore],
  ["with AuthGuard('xpay')", passportStep],
  ['after', passportAfter],
];
describe.each(passports)('docs/migrate-passport.md, Basic, %s', (_when, version) => {
  it('N5 · accepts a caller with the right key, and answers 401 to others', async () => {
    await using app = await start(version);
    expect(await get(app, '/me', asBob)).toEqual({ status: 200, body: { username: bob.username } });
    expect((await get(app, '/me', basic(bob.username, 'wrong'))).status).toBe(401);
    expect((await get(app, '/me')).status).toBe(401);
  });
});

const tokens: readonly [string, Version][] = [
  ['before', jwtBefore],
  ['after', jwtAfter],
];
describe.each(tokens)('docs/migrate-passport.md, bearer tokens, %s', (_when, version) => {
  it('N5 · exchanges credentials for a token of the app, and accepts this token', async () => {
    await using app = await start(version);
    const login = (body: object) =>
      app.fetch('/login', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    const answer = await login({ username: bob.username, secretKey: bob.secretKey });
    const { accessToken } = (await answer.json()) as { accessToken: string };
    expect(await get(app, '/me', bearer(accessToken))).toEqual({ status: 200, body: { username: bob.username } });
    expect(logins()).toBe(1);
    expect((await login({ username: bob.username, secretKey: 'wrong' })).status).toBe(401);
    expect((await get(app, '/me', bearer('of-somebody-else'))).status).toBe(401);
    expect((await get(app, '/me')).status).toBe(401);
  });
});

const clients: readonly [string, Version][] = [
  ['before', axiosBefore],
  ['after', axiosAfter],
  ['with its own axios instance', axiosOwnClient],
];
describe.each(clients)('docs/migrate-axios.md, %s', (_when, version) => {
  it('N5 · calls xPay with the token of the app, and logs in once for several calls', async () => {
    await using app = await start(version);
    for (let call = 0; call < 3; call++) {
      const { status, body } = await get(app, '/wallets');
      expect([status, body]).toEqual([200, [expect.anything(), expect.anything(), expect.anything()]]);
    }
    expect(xpay.ledger.at(-1)).toMatchObject({
      path: '/client/wallets/find',
      account: account.username,
      outcome: 'ok',
    });
    expect(logins()).toBe(1);
  });
});

describe('the differences in docs/migrate-axios.md', () => {
  it.each<[string, Version, number]>([
    ['before', axiosBefore, 20],
    ['after', axiosAfter, 1],
    ['with its own axios instance', axiosOwnClient, 1],
  ])('N5 · %s: 20 concurrent first calls', async (_when, version, calls) => {
    await using app = await start(version);
    // xPay answers no login before all expected logins have arrived: 20, or the one login of the library.
    xpay.faults.always({ kind: 'hang' }, { path: '/client/authenticate' });
    const calling = Promise.all(Array.from({ length: 20 }, () => app.fetch('/wallets').catch(() => undefined)));
    await xpay.waitForRequests(calls);
    expect(logins()).toBe(calls);
    await xpay.pause();
    await calling;
  });

  it.each<[string, Version, number]>([
    ['before', axiosBefore, 500],
    ['after', axiosAfter, 200],
    ['with its own axios instance', axiosOwnClient, 200],
  ])('N5 · %s: xPay rejects the token before its expiry', async (_when, version, expected) => {
    xpay.badBearerAnswer = '401-json';
    await using app = await start(version);
    expect((await get(app, '/wallets')).status).toBe(200);
    xpay.revokeTokens(account.username);
    expect((await get(app, '/wallets')).status).toBe(expected);
  });

  it.each<[string, Version, number]>([
    ['before', axiosBefore, 500],
    ['after', axiosAfter, 503],
    ['with its own axios instance', axiosOwnClient, 503],
  ])('N5 · %s: an outage of xPay without a token', async (_when, version, expected) => {
    await using app = await start(version);
    await xpay.pause();
    expect((await get(app, '/wallets')).status).toBe(expected);
  });
});
