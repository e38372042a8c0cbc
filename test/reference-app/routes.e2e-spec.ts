import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type XPayEmulator, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { startReferenceApp } from '../support/reference-app.js';
import { type RunningApp, basic, bearer, platforms } from '../support/start-app.js';

const USER = { username: 'user@example.test', secretKey: 'key-of-user-1', scopes: ['tme_user'] };
const ADMIN = { username: 'admin@example.test', secretKey: 'key-of-admin-1', scopes: ['tme_admin'] };
const APP = { username: 'this-app@example.test', secretKey: 'key-of-app-1' };
const asUser = { headers: basic(USER.username, USER.secretKey) };
const asAdmin = { headers: basic(ADMIN.username, ADMIN.secretKey) };
const OF_APP = '/app/wallets/find';
const BASIC_AND_BEARER = 'Basic realm="xpay", charset="UTF-8", Bearer realm="xpay"';

describe.each(platforms)('the reference app on %s', (platform) => {
  let xpay: XPayEmulator;
  let app: RunningApp;
  beforeEach(async () => {
    xpay = await startXPayEmulator({ accounts: [USER, ADMIN, APP] });
    app = await startReferenceApp(platform, {
      XPAY_BASE_URL: xpay.url,
      XPAY_USERNAME: APP.username,
      XPAY_SECRET_KEY: APP.secretKey,
    });
  });
  afterEach(async () => {
    await app.stop();
    await xpay.stop();
  });

  const findWallets = (
    body?: object,
    caller: { headers?: Record<string, string> } = asUser,
    path = '/wallets/find',
  ): Promise<Response> =>
    app.fetch(path, {
      method: 'POST',
      headers: { ...caller.headers, ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });

  it('returns the username and the scopes to any valid caller', async () => {
    const answer = await app.fetch('/me', asUser);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual({
      username: USER.username,
      scopes: ['tme_user'],
      isAPI: true,
      expiresAt: expect.any(Number),
    });
    expect((await app.fetch('/me', asAdmin)).status).toBe(200);
  });

  it.each([
    ['/user/report', asUser, 200],
    ['/user/report', asAdmin, 403],
    ['/admin/report', asUser, 403],
    ['/admin/report', asAdmin, 200],
  ])('I12 · %s, called by %p, is %d', async (path, init, status) => {
    expect((await app.fetch(path, init)).status).toBe(status);
  });

  it('I7 · a 403 names the missing scope', async () => {
    const answer = await app.fetch('/admin/report', asUser);
    expect(answer.headers.get('www-authenticate')).toBe('Bearer error="insufficient_scope", scope="tme_admin"');
    expect(await answer.json()).toMatchObject({ statusCode: 403, errorCode: 'insufficient_scope' });
  });

  it.each(['/me', '/user/report', '/admin/report', '/verify'])(
    'I7 · %s without credentials returns the accepted schemes',
    async (path) => {
      const answer = await app.fetch(path);
      expect(answer.status).toBe(401);
      expect(answer.headers.get('www-authenticate')).toBe(BASIC_AND_BEARER);
      expect(answer.headers.get('cache-control')).toBe('no-store');
      expect(xpay.requests()).toBe(0);
    },
  );

  it('I7 · a wrong key is 401, an unknown bearer 401 without an upstream call', async () => {
    const wrong = await app.fetch('/me', { headers: basic(USER.username, 'key-of-nobody') });
    expect([wrong.status, wrong.headers.get('www-authenticate')]).toEqual([401, BASIC_AND_BEARER]);
    xpay.resetLedger();
    const unknown = await app.fetch('/me', { headers: bearer('no-token-of-ours') });
    expect(unknown.status).toBe(401);
    expect(unknown.headers.get('www-authenticate')).toContain('Bearer realm="xpay", error="invalid_token"');
    expect(xpay.requests()).toBe(0);
  });

  it('I1 · the same credentials again cause no upstream call', async () => {
    for (let i = 0; i < 5; i++) expect((await app.fetch('/me', asUser)).status).toBe(200);
    expect(xpay.requests('/client/authenticate')).toBe(1);
  });

  it('is healthy without credentials and without upstream calls', async () => {
    const answer = await app.fetch('/health');
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ status: 'ok', token: { state: 'none', failures: 0 } });
    expect(xpay.requests()).toBe(0);
  });

  describe('POST /wallets/find', () => {
    it('P1 · acts as the caller, with credentials and with a session', async () => {
      const { username, secretKey } = USER;
      const login = await app.fetch('/auth/login', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ username, secretKey }),
      });
      const { accessToken } = (await login.json()) as { accessToken: string };
      for (const caller of [asUser, { headers: bearer(accessToken) }]) {
        const answer = await findWallets({}, caller);
        expect(answer.status).toBe(200);
        expect(await answer.json()).toMatchObject(Array.from({ length: 3 }, () => ({ username })));
      }
      const accounts = xpay.ledger.map(({ account }) => account);
      expect(accounts).not.toContain(APP.username);
      xpay.revokeTokens(username);
      expect((await findWallets({}, asUser)).status).toBe(503);
      expect((await findWallets({}, asUser)).status).toBe(200);
      xpay.revokeTokens(username);
      expect((await findWallets({}, { headers: bearer(accessToken) })).status).toBe(401);
    });

    it('passes on two numbers of the body and nothing else', async () => {
      await findWallets({ page: 2, pageSize: 1, wallet: 'of-somebody-else', sort: { $gt: '' } });
      expect(xpay.ledger.find(({ path }) => path === '/client/wallets/find')?.body).toEqual({ page: 2, pageSize: 1 });
    });

    it.each([{ page: 0 }, { page: '1' }, { pageSize: 101 }, { pageSize: 1.5 }, { page: { $gt: 0 } }])(
      'rejects %p before it calls the upstream',
      async (body) => {
        expect((await findWallets(body)).status).toBe(400);
        expect(xpay.requests('/client/wallets/find')).toBe(0);
      },
    );

    it('is only for tme_user', async () => {
      expect((await findWallets({}, asAdmin)).status).toBe(403);
      expect((await findWallets({}, {})).status).toBe(401);
      expect(xpay.requests('/client/wallets/find')).toBe(0);
    });
  });

  describe('POST /app/wallets/find', () => {
    it('calls the upstream with a bearer of the app account that it obtained', async () => {
      const answer = await findWallets({}, asAdmin, OF_APP);
      expect(answer.status).toBe(200);
      expect(await answer.json()).toHaveLength(3);
      const [own] = xpay.ledger.filter(({ account }) => account === APP.username);
      expect(own).toMatchObject({ path: '/client/authenticate', outcome: 'granted', body: { isAPI: true } });
      const call = xpay.ledger.find(({ path }) => path === '/client/wallets/find');
      expect(call).toMatchObject({ outcome: 'ok', account: APP.username, body: { page: 1, pageSize: 10 } });
      expect(await (await app.fetch('/health')).json()).toMatchObject({ token: { state: 'fresh' } });
    });

    it('obtains one token for many calls', async () => {
      const answers = await Promise.all(Array.from({ length: 20 }, () => findWallets({}, asAdmin, OF_APP)));
      expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200));
      expect(
        xpay.ledger.filter(({ outcome, account }) => outcome === 'granted' && account === APP.username),
      ).toHaveLength(1);
    });

    it('is only for tme_admin', async () => {
      expect((await findWallets({}, asUser, OF_APP)).status).toBe(403);
      expect(xpay.requests('/client/wallets/find')).toBe(0);
    });

    it("a rejected app account is 502, never the caller's 401", async () => {
      await app.fetch('/me', asAdmin);
      xpay.setSecret(APP.username, 'key-of-app-2');
      const answer = await findWallets({}, asAdmin, OF_APP);
      expect(answer.status).toBe(502);
      expect(answer.headers.has('www-authenticate')).toBe(false);
      expect(await answer.json()).toMatchObject({ errorCode: 'credentials_rejected' });
    });
  });

  it('reports a failure of the upstream without its secrets', async () => {
    xpay.businessError(`maintenance, says ${APP.secretKey}`);
    const answer = await app.fetch('/me', asUser);
    expect(answer.status).toBe(502);
    expect(await answer.text()).not.toMatch(/maintenance|key-of/);
  });
});
