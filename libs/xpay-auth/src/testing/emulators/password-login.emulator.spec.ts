import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { claimsOf, jsonAt } from '../../../../../test/support/json-at.js';
import { ManualClock } from './manual-clock.js';
import { startPasswordLoginEmulator } from './password-login.emulator.js';
import type { PasswordLoginEmulator } from './password-login.emulator.js';

const LIN = { username: 'lin', secretKey: 'lin-password' };
const FORM = { username: 'lin', password: 'lin-password' };
const missing = (field: string, input: unknown = null) => ({
  type: 'missing',
  loc: ['body', field],
  msg: 'Field required',
  input,
});

const tokenOf = ({ body }: { body: unknown }, field = 'access_token'): string => String(jsonAt(body, field));

describe('startPasswordLoginEmulator', () => {
  let clock: ManualClock;
  let emulator: PasswordLoginEmulator;
  beforeEach(async () => {
    clock = new ManualClock();
    emulator = await startPasswordLoginEmulator({ accounts: [LIN], clock, tokenLifeMs: 90_000 });
  });
  afterEach(() => emulator.stop());

  const send = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(`${emulator.url}${path}`, { redirect: 'manual', ...init });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: text === '' ? undefined : (JSON.parse(text) as unknown),
    };
  };
  const form = (fields: Record<string, string> = FORM, path = '/auth/login') =>
    send(path, { method: 'POST', body: new URLSearchParams(fields) });
  const json = (body: string) =>
    send('/auth/login', { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  const me = (authorization?: string) =>
    send('/users/me', authorization === undefined ? {} : { headers: { authorization } });

  it('returns a bearer token without an expiry for a valid form, urlencoded or multipart', async () => {
    const { status, headers, body } = await form();
    expect([status, headers.get('content-type'), body]).toEqual([
      200,
      'application/json',
      { access_token: expect.any(String), token_type: 'bearer' },
    ]);
    expect(claimsOf(tokenOf({ body }))).toEqual({
      user_id: expect.any(Number),
      iat: clock.now() / 1000,
      jti: expect.any(String),
    });
    const multipart = new FormData();
    for (const [name, value] of Object.entries(FORM)) multipart.set(name, value);
    expect((await send('/auth/login', { method: 'POST', body: multipart })).status).toBe(200);
  });

  it('can return the expiry in expires_in, as a number or text, and in exp, with type and scope', async () => {
    emulator.addAccount({ ...LIN, scope: 'read write' });
    Object.assign(emulator, { expiresIn: 'number', jwtExpiry: true, tokenType: 'Bearer' });
    const { body } = await form();
    expect(body).toMatchObject({ expires_in: 90, token_type: 'Bearer', scope: 'read write' });
    expect(claimsOf(tokenOf({ body }))).toHaveProperty('exp', clock.now() / 1000 + 90);
    emulator.expiresIn = 'text';
    expect((await form()).body).toHaveProperty('expires_in', '90');
  });

  it.each([
    ['401', 401, { detail: 'Incorrect username or password' }, 'Bearer'],
    ['invalid_grant', 400, { error: 'invalid_grant' }, null],
    ['LOGIN_BAD_CREDENTIALS', 400, { detail: 'LOGIN_BAD_CREDENTIALS' }, null],
    ['403', 403, { detail: 'Invalid credentials' }, null],
    ['404', 404, { detail: 'User not found' }, null],
  ] as const)('refuses a wrong password as told: %s', async (failure, status, body, challenge) => {
    emulator.failure = failure;
    const refused = await form({ ...FORM, password: 'wrong' });
    expect([refused.status, refused.body, refused.headers.get('www-authenticate')]).toEqual([status, body, challenge]);
  });

  it('reports a missing or empty field, and every field of a JSON body, as missing from the form', async () => {
    expect(await form({ username: 'lin', password: '' })).toMatchObject({
      status: 422,
      body: { detail: [missing('password')] },
    });
    expect((await json(JSON.stringify(FORM))).body).toEqual({ detail: [missing('username'), missing('password')] });
  });

  it('rejects a wrong grant_type always, and a missing one when strict', async () => {
    expect((await form({ ...FORM, grant_type: 'password' })).status).toBe(200);
    expect((await form({ ...FORM, grant_type: 'magic' })).body).toEqual({
      detail: [
        {
          type: 'string_pattern_mismatch',
          loc: ['body', 'grant_type'],
          msg: "String should match pattern '^password$'",
          input: 'magic',
          ctx: { pattern: '^password$' },
        },
      ],
    });
    emulator.strictGrantType = true;
    expect(await form()).toMatchObject({ status: 422, body: { detail: [missing('grant_type')] } });
  });

  it('echoes the password in a 422 where FastAPI does: a JSON model, a form sent to one, and a form model', async () => {
    emulator.loginBody = 'json';
    expect((await json(JSON.stringify(FORM))).status).toBe(200);
    const misnamed = { user: 'lin', password: 'lin-password' };
    expect((await json(JSON.stringify(misnamed))).body).toEqual({ detail: [missing('username', misnamed)] });
    expect((await json('{"username":')).body).toMatchObject({ detail: [{ type: 'json_invalid' }] });
    expect((await json('{"username":"lin","password":7}')).body).toMatchObject({
      detail: [{ type: 'string_type', input: 7 }],
    });
    expect((await form()).body).toMatchObject({
      detail: [{ type: 'model_attributes_type', input: 'username=lin&password=lin-password' }],
    });
    emulator.loginBody = 'form-model';
    expect((await form()).status).toBe(200);
    expect((await form({ user: 'lin', password: 'lin-password' })).body).toEqual({
      detail: [missing('username', misnamed)],
    });
  });

  it('accepts only POST, and redirects only a trailing slash, with 307', async () => {
    const get = await send('/auth/login');
    expect([get.status, get.headers.get('allow'), get.body]).toEqual([405, 'POST', { detail: 'Method Not Allowed' }]);
    const slash = await form(FORM, '/auth/login/');
    expect([slash.status, slash.headers.get('location')]).toEqual([307, `${emulator.url}/auth/login`]);
    expect(await form(FORM, '/login')).toMatchObject({ status: 404, body: { detail: 'Not Found' } });
  });

  it('protects a route with 401 and a challenge, or 403, and accepts the scheme in any case', async () => {
    const token = tokenOf(await form());
    expect((await me(`bearer ${token}`)).body).toEqual({ username: 'lin', user_id: expect.any(Number) });
    for (const authorization of [undefined, 'Basic bGluOng='])
      expect(await me(authorization)).toMatchObject({ status: 401, body: { detail: 'Not authenticated' } });
    await clock.advance(90_000);
    const expired = await me(`Bearer ${token}`);
    expect([expired.status, expired.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
    emulator.badBearerStatus = 403;
    expect((await me()).status).toBe(403);
  });

  it('refreshes, with or without rotation, if refresh tokens are enabled', async () => {
    const refresh = (token: string, grantType = 'refresh_token') =>
      form({ grant_type: grantType, refresh_token: token }, '/auth/refresh');
    expect((await refresh('any')).status).toBe(404);
    emulator.refreshTokens = true;
    const first = tokenOf(await form(), 'refresh_token');
    const renewed = await refresh(first);
    const second = tokenOf(renewed, 'refresh_token');
    expect([renewed.status, second === first, (await refresh(first)).body]).toEqual([
      200,
      false,
      { error: 'invalid_grant' },
    ]);
    emulator.rotateRefreshTokens = false;
    expect((await refresh(second)).body).not.toHaveProperty('refresh_token');
    expect((await refresh(second)).status).toBe(200);
    expect(await refresh(second, 'password')).toMatchObject({ status: 422 });
    expect(await refresh(tokenOf(renewed))).toMatchObject({ status: 400 });
    expect(JSON.stringify(emulator.ledger)).not.toContain(second);
  });
});
