import { describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { inspect } from 'node:util';
import { XPayAuthError } from '../../core/errors.js';
import type { ApiCall, Dialect } from '../../core/ports.js';
import { AccessToken, Secret } from '../../core/secret.js';
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
    revokeTokens: () => emulator.revokeTokens(),
    stop: () => emulator.stop(),
  };
}

/** The sentences that this dialect fails. */
async function failedBy(dialect: Dialect): Promise<string[]> {
  const failed: string[] = [];
  for (const { title, run } of dialectContract('it', () => stageFor(dialect))) {
    await run().catch(() => failed.push(title.slice('it '.length)));
  }
  return failed;
}

/** Fails like the sound one, but each failure is another. */
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

describe('dialectContract', () => {
  it('passes a sound dialect', async () => {
    expect(await failedBy(sound)).toEqual([]);
  });

  it.each<[string, Dialect, string]>([
    [
      'calls every failure invalid_credentials',
      failing(() => new XPayAuthError('invalid_credentials', 'no')),
      'calls a 500 upstream_unavailable, asks once, and blames nobody',
    ],
    [
      'calls a refusal the upstream’s trouble',
      failing(() => new XPayAuthError('upstream_malformed', 'no')),
      'refuses a wrong secret and an unknown user alike, with invalid_credentials',
    ],
    [
      'forgets Retry-After',
      failing(({ code }) => new XPayAuthError(code, 'no')),
      'calls a 429 with Retry-After upstream_rate_limited, asks once, and blames nobody',
    ],
    [
      'throws errors of its own',
      failing(() => new Error('no')),
      'refuses a wrong secret and an unknown user alike, with invalid_credentials',
    ],
    [
      'writes the secret into the cause of an error',
      failing(({ code, retryAfterMs }, secret) => {
        return new XPayAuthError(code, 'no', { retryAfterMs, cause: { request: { body: secret } } });
      }),
      'lets no secret through that the upstream repeats',
    ],
    [
      'writes half of the secret into a message',
      failing(({ code, retryAfterMs }, secret) => new XPayAuthError(code, secret.slice(0, 14), { retryAfterMs })),
      'lets no secret through that the upstream repeats',
    ],
    [
      'asks again by itself',
      {
        ...sound,
        authenticate: (credentials, upstream, purpose) =>
          sound
            .authenticate(credentials, upstream, purpose)
            .catch(() => sound.authenticate(credentials, upstream, purpose)),
      },
      'calls a 500 upstream_unavailable, asks once, and blames nobody',
    ],
    [
      'remembers a login',
      (() => {
        let first: ReturnType<Dialect['authenticate']> | undefined;
        return { ...sound, authenticate: (...asked) => (first ??= sound.authenticate(...asked)) };
      })(),
      'keeps nothing between logins: twenty at once do not mix',
    ],
    [
      'encodes badly',
      {
        ...sound,
        authenticate: ({ username, secretKey }, upstream, purpose) =>
          sound.authenticate({ username, secretKey: encodeURIComponent(secretKey) }, upstream, purpose),
      },
      'sends a secret as it is, whatever characters it has',
    ],
    [
      'makes any expiry a long life',
      {
        ...sound,
        authenticate: async (...asked) => ({ ...(await sound.authenticate(...asked)), lifeMs: 3_600_000 }),
      },
      'never takes a nonsensical expiry for a long life',
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
      'grants what does not print',
    ],
    [
      'calls a refused refresh token malformed',
      { ...sound, refresh: () => Promise.reject(new XPayAuthError('upstream_malformed', 'no')) },
      'if it can refresh, calls a refused refresh token invalid_token, so that a login is next',
    ],
    [
      'has a refresh but no refresh tokens',
      {
        ...sound,
        authenticate: async (...asked) => ({ ...(await sound.authenticate(...asked)), refreshToken: undefined }),
      },
      'if it can refresh, renews a grant without the secret',
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
      'says so when its access token holds a refresh token',
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
      'makes an API call with the token in a header, and nowhere else',
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
      "lets no header of the caller's take the token's place",
    ],
    [
      'empties what JSON cannot express',
      withBody(({ body }) => JSON.stringify(body) ?? ''),
      'sends all that a body holds, or refuses it with configuration',
    ],
    [
      'quotes a body that it refuses',
      withBody(({ body }) => {
        throw new XPayAuthError('configuration', inspect(body));
      }),
      'sends all that a body holds, or refuses it with configuration',
    ],
    [
      'writes another body each time',
      withBody(() => JSON.stringify({ nonce: randomUUID() })),
      'writes the same body whatever the token',
    ],
    [
      'takes every error of the API for a rejected token',
      { ...sound, api: { ...sound.api, decode: () => ({ kind: 'token rejected', untouched: true }) } },
      'takes no other error of the API for a rejected token',
    ],
    [
      'never notices a rejected token',
      { ...sound, api: { ...sound.api, decode: () => ({ kind: 'data', data: null }) } },
      'notices that the token was rejected',
    ],
  ])('catches a dialect that %s', async (_flaw, dialect, sentence) => {
    expect(await failedBy(dialect)).toContain(sentence);
  });
});
