import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type XPayEmulator, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { startReferenceApp } from '../support/reference-app.js';
import { type RunningApp, basic, bearer, platforms } from '../support/start-app.js';

const USER = { username: 'user@example.test', secretKey: 'key-of-user-1' };

describe.each(platforms)('logins of the reference app on %s', (platform) => {
  let xpay: XPayEmulator;
  let app: RunningApp;
  beforeEach(async () => {
    xpay = await startXPayEmulator({ accounts: [USER] });
    app = await startReferenceApp(platform, { XPAY_BASE_URL: xpay.url });
  });
  afterEach(async () => {
    await app.stop();
    await xpay.stop();
  });

  const login = (body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
    app.fetch('/auth/login', {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
  const me = async (token: string): Promise<number> => (await app.fetch('/me', { headers: bearer(token) })).status;
  const logout = async (token: string): Promise<number> =>
    (await app.fetch('/auth/logout', { method: 'POST', headers: bearer(token) })).status;

  it('I10 · return a bearer of this app, which is rejected after its logout', async () => {
    const answer = await login(USER);
    expect(answer.status).toBe(200);
    const session = (await answer.json()) as { accessToken: string };
    expect(session).toEqual({
      accessToken: expect.stringMatching(/^[\w-]{43}$/),
      tokenType: 'Bearer',
      expiresAt: expect.any(Number),
      username: USER.username,
      scopes: ['tme_user'],
    });
    expect(await me(session.accessToken)).toBe(200);
    expect(await logout(session.accessToken)).toBe(204);
    expect(await me(session.accessToken)).toBe(401);
    expect(xpay.requests()).toBe(1);
  });

  it('I10 · end separately', async () => {
    const tokens: string[] = [];
    for (let i = 0; i < 2; i++)
      tokens.push(((await (await login(USER)).json()) as { accessToken: string }).accessToken);
    const [first = '', second = ''] = tokens;
    await app.fetch('/auth/logout', { method: 'POST', headers: { authorization: `bEaReR ${first}` } });
    expect([await me(first), await me(second)]).toEqual([401, 200]);
  });

  it('I10 · a token with a character after it is rejected, at a logout too', async () => {
    const { accessToken } = (await (await login(USER)).json()) as { accessToken: string };
    // U+00A0, which Node does not remove from the value of a header.
    expect(await me(`${accessToken}\u00a0`)).toBe(400);
    expect(await logout(`${accessToken}\u00a0`)).toBe(400);
    expect(await me(accessToken)).toBe(200);
  });

  it('I9 · read only the body', async () => {
    expect((await login(USER, basic('nobody@example.test', 'no-key'))).status).toBe(200);
    expect((await login({ ...USER, secretKey: 'wrong' }, basic(USER.username, USER.secretKey))).status).toBe(401);
  });

  it('I6 · are 401 with a wrong key and 503 while the upstream is down', async () => {
    const wrong = await login({ ...USER, secretKey: 'wrong' });
    expect(wrong.status).toBe(401);
    expect(wrong.headers.get('www-authenticate')).toContain('Basic realm="xpay"');
    await xpay.pause();
    const away = await login(USER);
    expect([away.status, away.headers.has('retry-after')]).toEqual([503, true]);
  });

  it.each([[{}], [{ username: USER.username }], [{ username: 5, secretKey: USER.secretKey }], [[]], [null]])(
    'reject %p as malformed',
    async (body) => {
      expect((await login(body)).status).toBe(400);
      expect(xpay.requests()).toBe(0);
    },
  );

  it('I5 · are limited: the eleventh failure in a row is 429', async () => {
    const answers: Response[] = [];
    for (let i = 0; i < 11; i++) answers.push(await login({ ...USER, secretKey: `guess-${i}` }));
    expect(answers.slice(0, 10).map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 401));
    const last = answers.at(-1);
    expect([last?.status, Number(last?.headers.get('retry-after')) > 0]).toEqual([429, true]);
    expect(last?.headers.has('www-authenticate')).toBe(false);
    expect(xpay.requests()).toBe(10);
  });

  it('I5 · are not counted by the address of an untrusted proxy, which all callers share', async () => {
    const attempt = (secretKey: string) => login({ ...USER, secretKey }, { 'x-forwarded-for': '192.0.2.66' });
    for (let i = 0; i < 10; i++) expect((await attempt(`guess-${i}`)).status).toBe(401);
    expect((await attempt(USER.secretKey)).status).toBe(200);
  });

  it('I5 · are counted by the address that a trusted proxy sends', async () => {
    await using proxied = await startReferenceApp(platform, { XPAY_BASE_URL: xpay.url }, 'loopback');
    const from = async (address: string, secretKey: string): Promise<number> => {
      const headers = { 'content-type': 'application/json', 'x-forwarded-for': address };
      const body = JSON.stringify({ ...USER, secretKey });
      return (await proxied.fetch('/auth/login', { method: 'POST', headers, body })).status;
    };
    for (let i = 0; i < 10; i++) expect(await from('192.0.2.66', `guess-${i}`)).toBe(401);
    expect(await from('192.0.2.66', 'guess-10')).toBe(429);
    expect(await from('192.0.2.77', USER.secretKey)).toBe(200);
  });
});
