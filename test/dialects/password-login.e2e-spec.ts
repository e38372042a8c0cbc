import { describe, expect, it } from '@jest/globals';
import { Controller, Get } from '@nestjs/common';
import {
  Authenticated,
  CurrentUser,
  type PasswordLoginDialectOptions,
  type Principal,
  Scopes,
  XPayAuthError,
  XPayAuthModule,
  type XPayAuthErrorCode,
  XPayHttpService,
  XPayTokenService,
  passwordLogin,
} from 'nestjs-xpay-auth';
import {
  ManualClock,
  type PasswordLoginEmulator,
  type PasswordLoginEmulatorOptions,
  startPasswordLoginEmulator,
} from 'nestjs-xpay-auth/testing';
import { inspect } from 'node:util';
import { type RunningApp, basic, startApp } from '../support/start-app.js';
import { unsignedJwt } from '../support/unsigned-jwt.js';

const service = { username: 'service', secretKey: 'the key of the service' };
const ada = { username: 'ada', secretKey: 'the key of ada', scope: 'reports:read reports:write' };
const asAda = { headers: basic(ada.username, ada.secretKey) };

@Controller()
class LoginController {
  @Authenticated()
  @Get('me')
  me(@CurrentUser() { username, scopes }: Principal) {
    return { username, scopes };
  }

  @Scopes('reports:read')
  @Get('reports')
  reports() {
    return { reports: [] };
  }
}

interface World extends AsyncDisposable {
  readonly clock: ManualClock;
  readonly emulator: PasswordLoginEmulator;
  readonly served: RunningApp;
  readonly tokens: XPayTokenService;
  readonly http: XPayHttpService;
  paths(): string[];
}

async function world(
  modes: PasswordLoginEmulatorOptions = {},
  dialect: PasswordLoginDialectOptions = {},
): Promise<World> {
  const clock = new ManualClock();
  const emulator = await startPasswordLoginEmulator({ accounts: [service, ada], clock, ...modes });
  const served = await startApp('fastify', {
    imports: [
      XPayAuthModule.forRoot({
        dialect: passwordLogin(dialect),
        baseUrl: emulator.url,
        credentials: service,
        clock,
      }),
    ],
    controllers: [LoginController],
  });
  return {
    clock,
    emulator,
    served,
    tokens: served.app.get(XPayTokenService),
    http: served.app.get(XPayHttpService),
    paths: () => emulator.ledger.map(({ path }) => path),
    [Symbol.asyncDispose]: async () => {
      await served.stop();
      await emulator.stop();
    },
  };
}

/** A login response with other field names, nested in an object. */
function nested(body: unknown): unknown {
  const { access_token: token } = body as { access_token: string };
  return { result: { session: { token, expires_in: '90', scope: 'reports:read' } } };
}

/** Every string that a log of the failure could contain. */
function everyView(failure: unknown): string {
  const own = failure instanceof Error ? [failure.stack, failure.cause, failure.message] : [];
  return [inspect(failure, { showHidden: true, depth: Infinity }), JSON.stringify(failure), ...own.map(String)].join(
    ' ',
  );
}

describe('a failed login at FastAPI', () => {
  it.each<[string, XPayAuthErrorCode, PasswordLoginEmulatorOptions, PasswordLoginDialectOptions, string?]>([
    ['a 401 with a challenge', 'invalid_credentials', {}, {}, 'a wrong key of ada'],
    ['a 422 array, for a form sent to a JSON model', 'upstream_malformed', { loginBody: 'json' }, {}],
    ['a 422 array, for JSON sent to a form', 'upstream_malformed', {}, { body: 'json' }],
    [
      'a 422 that echoes the whole form',
      'upstream_malformed',
      { loginBody: 'form-model' },
      { fields: { username: 'email' } },
    ],
    ['a 422 for a missing grant_type', 'upstream_malformed', { strictGrantType: true }, {}],
    ['a 307 for an extra trailing slash', 'upstream_malformed', {}, { path: '/auth/login/' }],
    ['a 405', 'upstream_malformed', {}, { path: '/users/me' }],
    [
      'a 404, for a path that does not exist',
      'upstream_malformed',
      {},
      { path: '/login', refusedStatuses: [401, 404] },
    ],
  ])('B12 · %s is %s, with no secret in it', async (_what, code, modes, dialect, secretKey = ada.secretKey) => {
    await using at = await world(modes, dialect);
    // The failure as a caller sees it …
    const answer = await at.served.fetch('/me', { headers: basic(ada.username, secretKey) });
    const body = await answer.text();
    expect([answer.status, JSON.parse(body)]).toEqual([
      code === 'invalid_credentials' ? 401 : 502,
      expect.objectContaining({ errorCode: code }),
    ]);
    expect(body).not.toContain(secretKey);

    // … and as the app sees it, with the whole chain of causes.
    if (secretKey !== ada.secretKey) at.emulator.setSecret(service.username, 'another key');
    const failure: unknown = await at.tokens.getToken().catch((thrown: unknown) => thrown);
    expect(failure).toMatchObject({ code: code === 'invalid_credentials' ? 'credentials_rejected' : code });
    for (const spelling of [service.secretKey, new URLSearchParams({ p: service.secretKey }).toString().slice(2)]) {
      expect(everyView(failure)).not.toContain(spelling);
    }
    // No redirect was followed and nothing was retried: one request for each of the two.
    expect(at.paths()).toEqual(Array.from({ length: 2 }, () => dialect.path ?? '/auth/login'));
  });

  it('I8 · an empty user or secret is rejected without an upstream call', async () => {
    await using at = await world();
    for (const headers of [basic('', 'key'), basic('ada', '')]) {
      expect((await at.served.fetch('/me', { headers })).status).toBe(401);
    }
    const upstream = { send: () => Promise.reject(new Error('asked')) };
    for (const credentials of [
      { username: '', secretKey: 'key' },
      { username: 'ada', secretKey: '' },
    ]) {
      await expect(passwordLogin().authenticate(credentials, upstream, 'login')).rejects.toMatchObject({
        code: 'invalid_credentials',
      });
    }
    expect(at.paths()).toEqual([]);
  });
});

describe('conventions for a rejected login', () => {
  it.each<[string, PasswordLoginEmulatorOptions, PasswordLoginDialectOptions, number]>([
    ['401 is a rejection by default', {}, {}, 401],
    ['403 is not a rejection by default', { failure: '403' }, {}, 502],
    ['403 is a rejection if the options say so', { failure: '403' }, { refusedStatuses: [403] }, 401],
    ['404 only if the options say so', { failure: '404' }, {}, 502],
    ['404 is a rejection if the options say so', { failure: '404' }, { refusedStatuses: [401, 404] }, 401],
    ['400 only if the options say so', { failure: 'LOGIN_BAD_CREDENTIALS' }, {}, 502],
    ['400 is a rejection if the options say so', { failure: 'LOGIN_BAD_CREDENTIALS' }, { refusedStatuses: [400] }, 401],
    ['invalid_grant is always a rejection, because it has no other meaning', { failure: 'invalid_grant' }, {}, 401],
  ])('I6 · %s', async (_what, modes, dialect, status) => {
    await using at = await world(modes, dialect);
    expect((await at.served.fetch('/me', { headers: basic('ada', 'a wrong key') })).status).toBe(status);
  });

  it('I6 · a 401 about the client of this app is not the caller’s fault', async () => {
    await using at = await world({}, { extraFields: { client_id: 'app', client_secret: 'long gone' } });
    at.emulator.faults.next({ kind: 'status', status: 401, body: { error: 'invalid_client' } });
    const answer = await at.served.fetch('/me', asAda);
    expect([answer.status, await answer.text()]).toEqual([502, expect.not.stringContaining('long gone')]);
  });
});

describe('the result of a login', () => {
  it('I12 · the scopes of the response', async () => {
    await using at = await world();
    expect((await at.served.fetch('/reports', asAda)).status).toBe(200);
    expect((await at.served.fetch('/reports', { headers: basic(service.username, service.secretKey) })).status).toBe(
      403,
    );
  });

  it.each<[string, PasswordLoginEmulatorOptions, number]>([
    ['expires_in as a number', { expiresIn: 'number' }, 120_000],
    ['expires_in as a string', { expiresIn: 'text' }, 120_000],
    ['the exp of the token, less the second that Date may have lost', { jwtExpiry: true }, 119_000],
    ['no expiry: token.fallbackLifeMs', {}, 300_000],
  ])('O12 · its lifetime, from %s', async (_what, modes, lifeMs) => {
    await using at = await world({ tokenLifeMs: 120_000, ...modes });
    await at.tokens.getToken();
    await at.clock.advance(lifeMs - Math.min(30_000, lifeMs * 0.05) - 1);
    expect(at.tokens.peek()).toBeDefined();
    await at.clock.advance(1);
    expect(at.tokens.peek()).toBeUndefined();
  });

  it('the token at the path of tokenAt, and the fields beside it', async () => {
    await using at = await world({}, { tokenAt: 'result.session.token' });
    at.emulator.faults.always({ kind: 'transform', transform: nested });
    expect((await at.served.fetch('/reports', asAda)).status).toBe(200);
    expect((await at.tokens.getToken()).expiresAt).toBe(at.clock.now() + 90_000);
  });

  it.each<[string, object]>([
    ['a type other than bearer', { access_token: 'x', token_type: 'DPoP' }],
    ['a token that is invalid in a header', { access_token: 'two words' }],
    ['a lifetime that is not a number', { access_token: 'x', expires_in: 'soon' }],
    ['an exp in the past', { access_token: unsignedJwt({ exp: 1 }) }],
    ['scopes that are not a string', { access_token: 'x', scope: 7 }],
    ['101 scopes', { access_token: 'x', scope: 's '.repeat(101) }],
    ['a scope of 257 characters', { access_token: 'x', scope: ['s'.repeat(257)] }],
    ['no token at the path', { token: 'x' }],
  ])('O12 · upstream_malformed for %s', async (_what, body) => {
    await using at = await world();
    at.emulator.faults.next({ kind: 'transform', transform: () => body });
    await expect(at.tokens.getToken()).rejects.toMatchObject({ code: 'upstream_malformed' });
    at.emulator.faults.next({ kind: 'transform', transform: () => body });
    expect((await at.served.fetch('/me', asAda)).status).toBe(502);
  });

  it.each<[string, readonly string[] | undefined, boolean]>([
    ['bearer', undefined, true],
    ['BEARER', undefined, true],
    ['BearerToken', undefined, false],
    ['BearerToken', ['bearer', 'BearerToken'], true],
    ['bearertoken', ['BearerToken'], true],
    ['jwt-bearer', ['JWT', 'jwt-bearer'], true],
    ['Bearer', ['JWT'], false],
    ['', ['JWT'], false],
  ])(
    'D13 · a token of the type %j with the option tokenTypes %j is accepted: %p',
    async (tokenType, types, accepted) => {
      const refreshing = { refreshTokens: true, tokenLifeMs: 60_000, expiresIn: 'number', tokenType } as const;
      await using at = await world(refreshing, { refreshPath: '/auth/refresh', ...(types && { tokenTypes: types }) });
      expect((await at.served.fetch('/me', asAda)).status).toBe(accepted ? 200 : 502);
      const own = at.tokens.getToken();
      if (!accepted) return await expect(own).rejects.toMatchObject({ code: 'upstream_malformed' });
      await own;
      await at.clock.advance(61_000);
      await at.tokens.getToken();
      expect(at.paths()).toEqual(['/auth/login', '/auth/login', '/auth/refresh']);
    },
  );

  it('D13 · a response without a token_type is accepted, as is null, whatever tokenTypes is', async () => {
    await using at = await world({}, { tokenTypes: ['JWT'] });
    at.emulator.faults.always({ kind: 'transform', transform: (body) => ({ ...(body as object), token_type: null }) });
    expect((await at.served.fetch('/me', asAda)).status).toBe(200);
    at.emulator.faults.clear();
    at.emulator.faults.always({
      kind: 'transform',
      transform: (body) => ({ ...(body as object), token_type: undefined }),
    });
    await expect(at.tokens.getToken()).resolves.toBeDefined();
  });

  it('sends the fields with the names and the encoding of the options', async () => {
    await using at = await world({}, { body: 'json', fields: { username: 'email' }, extraFields: { tenant: 'north' } });
    await at.tokens.getToken().catch(() => undefined);
    expect(at.emulator.ledger[0]?.headers['content-type']).toBe('application/json');
    expect(at.emulator.ledger[0]?.body).toEqual({ tenant: 'north', email: 'service', password: '[redacted]' });
  });
});

describe('a refresh', () => {
  const refreshing = { refreshTokens: true, tokenLifeMs: 60_000, expiresIn: 'number' } as const;

  it.each([true, false])('uses OAuth’s refresh grant over five expiries; rotated: %s', async (rotateRefreshTokens) => {
    await using at = await world({ ...refreshing, rotateRefreshTokens }, { refreshPath: '/auth/refresh' });
    await at.tokens.getToken();
    for (let expiry = 0; expiry < 5; expiry++) {
      await at.clock.advance(61_000);
      await at.tokens.getToken();
    }
    expect(at.paths()).toEqual(['/auth/login', ...Array.from({ length: 5 }, () => '/auth/refresh')]);
  });

  it('logs in once when it is rejected', async () => {
    await using at = await world(refreshing, { refreshPath: '/auth/refresh' });
    await at.tokens.getToken();
    at.emulator.revokeTokens();
    await at.clock.advance(61_000);
    await at.tokens.getToken();
    expect(at.paths()).toEqual(['/auth/login', '/auth/refresh', '/auth/login']);
  });

  it('needs a path; without one the client logs in again', async () => {
    await using at = await world(refreshing);
    await at.tokens.getToken();
    await at.clock.advance(61_000);
    await at.tokens.getToken();
    expect(at.paths()).toEqual(['/auth/login', '/auth/login']);
  });
});

describe('API calls', () => {
  it('O15 · a 401 renews the token and repeats the call once', async () => {
    await using at = await world();
    await at.tokens.getToken();
    at.emulator.revokeTokens();
    await expect(at.http.request({ method: 'GET', path: '/users/me' })).resolves.toMatchObject({
      data: { username: 'service' },
    });
    expect(at.paths()).toEqual(['/auth/login', '/users/me', '/auth/login', '/users/me']);
  });

  it('O15 · a 403 rejects the token only if the options say so, and then no write is repeated', async () => {
    await using at = await world({}, { tokenRejectedStatuses: [401, 403] });
    at.emulator.faults.next(
      { kind: 'status', status: 403, body: { detail: 'Not authenticated' } },
      { path: '/users/me' },
    );
    await expect(at.http.post('/users/me', {})).rejects.toMatchObject({ code: 'credentials_rejected' });
    expect(at.paths()).toEqual(['/auth/login', '/users/me']);
    await using plain = await world();
    plain.emulator.faults.next({ kind: 'status', status: 403, body: { detail: 'Not yours' } }, { path: '/users/me' });
    await expect(plain.http.post('/users/me', {})).rejects.toMatchObject({
      code: 'upstream_business_error',
      message: 'The upstream answered 403: Not yours',
    });
  });

  it('B12 · no input that a 422 echoes is quoted', async () => {
    await using at = await world();
    const { value } = await at.tokens.getToken();
    const body = { detail: [{ type: 'missing', loc: ['body'], msg: 'Field required', input: { token: value } }] };
    at.emulator.faults.next({ kind: 'status', status: 422, body });
    const failure: unknown = await at.http.post('/users/me', {}).catch((thrown: unknown) => thrown);
    expect(failure).toBeInstanceOf(XPayAuthError);
    expect(failure).toMatchObject({ code: 'upstream_business_error', message: 'The upstream answered 422: an error' });
    expect(everyView(failure)).not.toContain(value);
  });
});

it('invalid options stop the boot', () => {
  const wrong: PasswordLoginDialectOptions[] = [
    { path: 'auth/login' },
    { path: '//elsewhere.test/login' },
    { refreshPath: 'refresh' },
    { fields: { username: 'password' } },
    { fields: { secretKey: '' } },
    { extraFields: { password: 'x' } },
    { tokenAt: 'result..token' },
    { refusedStatuses: [500 as 401] },
    { tokenTypes: [] },
    { tokenTypes: ['bearer', ''] },
    { tokenTypes: ['bearer token'] },
    { tokenTypes: [7 as unknown as string] },
    { tokenTypes: 'bearer' as unknown as string[] },
  ];
  for (const options of wrong) {
    expect(() => passwordLogin(options)).toThrow(expect.objectContaining({ code: 'configuration' }));
  }
});
