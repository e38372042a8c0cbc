import { describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { inspect } from 'node:util';
import { XPayAuthError } from '../../core/errors.js';
import type { ApiCall, ApiPaging, Dialect } from '../../core/ports.js';
import { AccessToken, Secret } from '../../core/credentials.js';
import { passwordLogin } from '../../dialects/password-login/password-login.dialect.js';
import { startPasswordLoginEmulator } from '../emulators/password-login.emulator.js';
import { dialectContract } from './dialect-contract.js';
import type { DialectStage } from './dialect-contract-stage.js';

const good = { username: 'ada', secretKey: 'p+a&s%25 "wörd"=\\ of ada' };
const sound = passwordLogin({ refreshPath: '/auth/refresh' });

async function stageFor(dialect: Dialect): Promise<DialectStage> {
  const emulator = await startPasswordLoginEmulator({ accounts: [good], refreshTokens: true });
  return {
    dialect,
    baseUrl: emulator.url,
    good,
    nonsense: { 'over already': { body: { access_token: 'opaque', expires_in: -60 } } },
    call: { method: 'GET', path: '/users/me' },
    failingCall: { method: 'GET', path: '/users/nobody' },
    ...(dialect.api.paging && { list: { method: 'GET', path: '/users/me' } }),
    revokeTokens: () => emulator.revokeTokens(),
    stop: () => emulator.stop(),
  };
}

/** The titles of the cases that this dialect fails. Runs one case, or all. */
async function failedBy(dialect: Dialect, only?: string): Promise<string[]> {
  const failed: string[] = [];
  for (const { title, run } of dialectContract('it', () => stageFor(dialect))) {
    const sentence = title.slice('it '.length);
    if (only === undefined || only === sentence) await run().catch(() => failed.push(sentence));
  }
  return failed;
}

/** Fails like the correct dialect, with changed errors. */
function failing(change: (failure: XPayAuthError, secret: string) => unknown): Dialect {
  return {
    ...sound,
    authenticate: (credentials, upstream, purpose) =>
      sound.authenticate(credentials, upstream, purpose).catch((failure: XPayAuthError) => {
        throw change(failure, credentials.secretKey);
      }),
  };
}

/** Encodes the body of a call that has one in another way. */
function withBody(encode: (call: ApiCall) => string): Dialect {
  return {
    ...sound,
    api: {
      ...sound.api,
      encode: (call, token) => {
        if (call.method === 'GET') return sound.api.encode(call, token);
        const { body: _, ...bodiless } = call;
        return { ...sound.api.encode(bodiless, token), body: encode(call) };
      },
    },
  };
}

/** A paging that reads the answer as two pages. */
const soundPaging: ApiPaging = {
  first: (body) => ({ page: 1, ...structuredClone(Object(body)) }),
  read({ data }, body) {
    if (typeof data === 'string') throw new XPayAuthError('upstream_malformed', 'no list');
    return { items: [data], ...(Object(body).page === 1 && { next: { page: 2 } }) };
  },
};

/** Pages like the correct paging, with changed members. The body of a page is not sent, because a GET has none. */
function withPaging(change: Partial<ApiPaging>): Dialect {
  const paging = { ...soundPaging, ...change };
  return {
    ...sound,
    api: {
      ...sound.api,
      encode: (call, token) => {
        const { body, ...bodiless } = call;
        return sound.api.encode(call.method === 'GET' ? bodiless : { ...bodiless, body }, token);
      },
      paging,
    },
  };
}

describe('dialectContract', () => {
  it.each([
    ['without paging', sound],
    ['with paging', withPaging({})],
  ])('passes a correct dialect %s', async (_, dialect) => {
    expect(await failedBy(dialect)).toEqual([]);
  });

  it.each<[string, Dialect, string]>([
    [
      'calls every failure invalid_credentials',
      failing(() => new XPayAuthError('invalid_credentials', 'no')),
      'throws upstream_unavailable for a 500, after one request and without a secret',
    ],
    [
      'reports a rejection as a failure of the upstream',
      failing(() => new XPayAuthError('upstream_malformed', 'no')),
      'rejects a wrong secret and an unknown user with invalid_credentials',
    ],
    [
      'forgets Retry-After',
      failing(({ code }) => new XPayAuthError(code, 'no')),
      'throws upstream_rate_limited for a 429 with Retry-After, after one request and without a secret',
    ],
    [
      'throws errors that are no XPayAuthError',
      failing(() => new Error('no')),
      'rejects a wrong secret and an unknown user with invalid_credentials',
    ],
    [
      'writes the secret into the cause of an error',
      failing(({ code, retryAfterMs }, secret) => {
        return new XPayAuthError(code, 'no', { retryAfterMs, cause: { request: { body: secret } } });
      }),
      'hides a secret that the upstream repeats',
    ],
    [
      'writes half of the secret into a message',
      failing(({ code, retryAfterMs }, secret) => new XPayAuthError(code, secret.slice(0, 14), { retryAfterMs })),
      'hides a secret that the upstream repeats',
    ],
    [
      'repeats the call',
      {
        ...sound,
        authenticate: (credentials, upstream, purpose) =>
          sound
            .authenticate(credentials, upstream, purpose)
            .catch(() => sound.authenticate(credentials, upstream, purpose)),
      },
      'throws upstream_unavailable for a 500, after one request and without a secret',
    ],
    [
      'caches a login',
      (() => {
        let first: ReturnType<Dialect['authenticate']> | undefined;
        return { ...sound, authenticate: (...asked) => (first ??= sound.authenticate(...asked)) };
      })(),
      'keeps no state between logins: twenty concurrent ones do not mix',
    ],
    [
      'encodes badly',
      {
        ...sound,
        authenticate: ({ username, secretKey }, upstream, purpose) =>
          sound.authenticate({ username, secretKey: encodeURIComponent(secretKey) }, upstream, purpose),
      },
      'sends every character of a secret unchanged',
    ],
    [
      'turns any expiry into a long lifetime',
      {
        ...sound,
        authenticate: async (...asked) => ({ ...(await sound.authenticate(...asked)), lifeMs: 3_600_000 }),
      },
      'accepts no invalid expiry as a long lifetime',
    ],
    [
      'grants a token that prints',
      {
        ...sound,
        authenticate: async (...asked) => {
          const grant = await sound.authenticate(...asked);
          return { ...grant, raw: grant.accessToken.value };
        },
      },
      'does not print the secrets of a grant',
    ],
    [
      'calls a refused refresh token malformed',
      { ...sound, refresh: () => Promise.reject(new XPayAuthError('upstream_malformed', 'no')) },
      'with refresh: throws invalid_token for a rejected refresh token, so that a login follows',
    ],
    [
      'has a refresh but no refresh tokens',
      {
        ...sound,
        authenticate: async (...asked) => ({ ...(await sound.authenticate(...asked)), refreshToken: undefined }),
      },
      'with refresh: renews a grant without the secret',
    ],
    [
      'hides a refresh token in its access token',
      {
        ...sound,
        authenticate: async (...asked) => {
          const grant = await sound.authenticate(...asked);
          const refreshToken = new Secret('inner-token');
          return { ...grant, accessToken: new AccessToken(`a.${btoa('inner-token')}.c`), refreshToken };
        },
      },
      'declares an access token that contains a refresh token',
    ],
    [
      'calls the API with the token in the path',
      {
        ...sound,
        api: {
          ...sound.api,
          encode: (call, token) => ({ ...sound.api.encode(call, token), path: `${call.path}?token=${token.value}` }),
        },
      },
      'sends the token of an API call in a header, and nowhere else',
    ],
    [
      'lets the caller overwrite the bearer',
      {
        ...sound,
        api: {
          ...sound.api,
          encode: (call, token) => {
            const request = sound.api.encode(call, token);
            return { ...request, headers: { ...request.headers, ...call.headers } };
          },
        },
      },
      'replaces a header of the caller that would carry the token',
    ],
    [
      'empties what JSON cannot express',
      withBody(({ body }) => JSON.stringify(body) ?? ''),
      'sends every value in a body, or throws configuration',
    ],
    [
      'quotes a body that it refuses',
      withBody(({ body }) => {
        throw new XPayAuthError('configuration', inspect(body));
      }),
      'sends every value in a body, or throws configuration',
    ],
    [
      'writes another body each time',
      withBody(() => JSON.stringify({ nonce: randomUUID() })),
      'encodes the same body for every token',
    ],
    [
      'takes every error of the API for a rejected token',
      { ...sound, api: { ...sound.api, decode: () => ({ kind: 'token rejected', untouched: true }) } },
      'distinguishes other errors of the API from a rejected token',
    ],
    [
      'never notices a rejected token',
      { ...sound, api: { ...sound.api, decode: () => ({ kind: 'data', data: null }) } },
      'detects a rejected token',
    ],
    [
      'never ends a list',
      withPaging({ read: (_, body) => ({ items: [1], next: body }) }),
      'with paging: reads a list to its end, page by page',
    ],
    [
      'reads the first page only',
      withPaging({ read: () => ({ items: [1, 2] }) }),
      'with paging: reads a list to its end, page by page',
    ],
    [
      'pages with the body of the caller',
      withPaging({ first: (body) => ({ page: 1, ...Object(body) }) }),
      'with paging: copies the body of the caller',
    ],
    [
      'reads items in any answer',
      withPaging({ read: ({ data }) => ({ items: [data] }) }),
      'with paging: throws upstream_malformed for an answer without a list',
    ],
  ])('catches a dialect that %s', async (_flaw, dialect, sentence) => {
    expect(await failedBy(dialect, sentence)).toEqual([sentence]);
  });
});
