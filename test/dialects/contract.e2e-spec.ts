import { describe, it } from '@jest/globals';
import { type Dialect, type GiftStreamDialectOptions, giftStream, passwordLogin, xPay } from 'nestjs-xpay-auth';
import {
  type CannedAnswer,
  dialectContract,
  type DialectStage,
  type GiftStreamEmulatorOptions,
  type PasswordLoginEmulatorOptions,
  startGiftStreamEmulator,
  startPasswordLoginEmulator,
  startXPayEmulator,
} from 'nestjs-xpay-auth/testing';
import { unsignedJwt } from '../support/unsigned-jwt.js';

const good = { username: 'ada+test@example.test', secretKey: 'p+a&s%25 "wörd"=\\ of ada' };

/** A login that xPay accepts, with this expiry. */
function xPayGranting(expiresAt: unknown): CannedAnswer {
  const data = { success: true, expiresAt, user: { username: 'ada', scopes: [], isAPI: true }, access_token: 'a.b.c' };
  return { body: { success: { message: 'Authenticated', data } } };
}

/** A login that a password form accepts, with these fields beside the token. */
function loginGranting(more: object): CannedAnswer {
  return { body: { access_token: 'opaque-token', token_type: 'bearer', ...more } };
}

async function xPayStage(): Promise<DialectStage> {
  const emulator = await startXPayEmulator({ accounts: [{ ...good, scopes: ['tme_user', 'tme_admin'] }] });
  return {
    dialect: xPay(),
    baseUrl: emulator.url,
    good,
    scopes: ['tme_user', 'tme_admin'],
    nonsense: {
      'in the past': xPayGranting(Date.now() - 1_000),
      'in seconds': xPayGranting(Math.floor(Date.now() / 1_000) + 3_600),
      'in microseconds': xPayGranting((Date.now() + 3_600_000) * 1_000),
      'a text': xPayGranting('tomorrow'),
      nought: xPayGranting(0),
    },
    call: { method: 'POST', path: '/client/wallets/find', body: { page: 1, pageSize: 1 } },
    failingCall: { method: 'POST', path: '/client/bills/cancel', body: {} },
    list: { method: 'POST', path: '/client/wallets/find', body: { pageSize: 2 } },
    revokeTokens: () => emulator.revokeTokens(),
    stop: () => emulator.stop(),
  };
}

async function giftStreamStage(
  options: GiftStreamDialectOptions = {},
  modes: GiftStreamEmulatorOptions = {},
): Promise<DialectStage> {
  const emulator = await startGiftStreamEmulator({ accounts: [good], ...modes });
  const granting = (exp: unknown) => ({
    body: { message: 'OK', accessToken: unsignedJwt({ userName: good.username, exp }), 'token-id': 1 },
  });
  const seconds = Math.floor(Date.now() / 1_000);
  return {
    dialect: giftStream({ scopes: ['gifts:read'], ...options }),
    baseUrl: emulator.url,
    good,
    scopes: ['gifts:read'],
    nonsense: {
      'in the past': granting(seconds - 1),
      'in ms': granting(Date.now() + 3_600_000),
      'a text': granting('in three days'),
      nought: granting(0),
      'not a JWT': { body: { message: 'OK', accessToken: 'opaque-token' } },
    },
    call: { method: 'GET', path: '/sites' },
    failingCall: { method: 'GET', path: '/giftcard/' },
    revokeTokens: () => emulator.revokeTokens(),
    stop: () => emulator.stop(),
  };
}

async function passwordLoginStage(
  dialect: Dialect = passwordLogin({ refreshPath: '/auth/refresh' }),
  modes: PasswordLoginEmulatorOptions = {},
): Promise<DialectStage> {
  const emulator = await startPasswordLoginEmulator({
    accounts: [{ ...good, scope: 'reports:read reports:write' }],
    refreshTokens: true,
    ...modes,
  });
  const seconds = Math.floor(Date.now() / 1_000);
  return {
    dialect,
    baseUrl: emulator.url,
    good,
    scopes: ['reports:read', 'reports:write'],
    nonsense: {
      'over already': loginGranting({ expires_in: 0 }),
      'a negative number': loginGranting({ expires_in: '-60' }),
      'a text': loginGranting({ expires_in: 'an hour' }),
      'a timestamp instead of a period': loginGranting({ expires_in: Date.now() }),
      'an exp in the past': loginGranting({ access_token: unsignedJwt({ exp: seconds - 1 }) }),
      'an exp in ms': loginGranting({ access_token: unsignedJwt({ exp: Date.now() }) }),
      'nothing said': loginGranting({}),
    },
    call: { method: 'GET', path: '/users/me' },
    failingCall: { method: 'GET', path: '/users/nobody' },
    revokeTokens: () => emulator.revokeTokens(),
    stop: () => emulator.stop(),
  };
}

/** Variants of real deployments pass the same contract. */
const variants: Readonly<Record<string, () => Promise<DialectStage>>> = {
  xPay: () => xPayStage(),
  giftStream: () => giftStreamStage(),
  passwordLogin: () => passwordLoginStage(),
  'passwordLogin in JSON': () => {
    const dialect = passwordLogin({ body: 'json', refusedStatuses: [401, 404] });
    return passwordLoginStage(dialect, { loginBody: 'json', failure: '404', refreshTokens: false });
  },
  'passwordLogin as strict OAuth2': () => {
    const extraFields = { grant_type: 'password' };
    const dialect = passwordLogin({ extraFields, refreshPath: '/auth/refresh' });
    return passwordLoginStage(dialect, { strictGrantType: true, failure: 'invalid_grant', expiresIn: 'text' });
  },
  'passwordLogin of fastapi-users': () => {
    const dialect = passwordLogin({ refusedStatuses: [400] });
    return passwordLoginStage(dialect, { failure: 'LOGIN_BAD_CREDENTIALS', jwtExpiry: true });
  },
  'passwordLogin of old FastAPI': () => {
    const dialect = passwordLogin({ refusedStatuses: [403], tokenRejectedStatuses: [401, 403] });
    return passwordLoginStage(dialect, { failure: '403', badBearerStatus: 403, tokenType: 'Bearer' });
  },
  'giftStream that responds 401 to a failed login': () => {
    return giftStreamStage({ refusedStatuses: [401] }, { loginFailureStatus: 401 });
  },
  'giftStream that keeps its refresh token': () => giftStreamStage({}, { refreshMode: 'keep' }),
  'giftStream that omits it from a refresh': () => giftStreamStage({}, { refreshMode: 'omit', errorTimestamps: false }),
};

describe.each(Object.entries(variants))('the contract of %s', (name, setup) => {
  for (const { title, run } of dialectContract(name, setup)) it(title, run);
});
