import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  type Dialect,
  type Grant,
  Secret,
  type UpstreamAnswer,
  giftStream,
  passwordLogin,
  xPay,
} from 'nestjs-xpay-auth';
import { holdsInTime } from '../support/property.js';
import { unsignedJwt } from '../support/unsigned-jwt.js';
import { outcomeOfPromise } from './outcome.js';
import { SECRETS, rightGiftStream, rightPasswordLogin, rightXPay } from './right-answers.js';
import { upstreamOf } from './upstream-answers.js';

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

const NOW = Date.UTC(2026, 0, 1);
const SECONDS = NOW / 1_000 + 3_600;
const CREDENTIALS = { username: 'ada@example.test', secretKey: SECRETS.secretKey };

/** A complete login response, and the optional fields of a grant in it. */
interface Row {
  readonly name: string;
  readonly dialect: Dialect;
  readonly right: fc.Arbitrary<unknown>;
  readonly whole: { readonly [name: string]: Json };
  readonly optional: readonly string[];
  /** The field with a token whose claims are read. */
  readonly tokenAt?: string;
}

const claims = {
  iat: NOW / 1_000,
  iss: 'an issuer',
  nbf: NOW / 1_000,
  exp: SECONDS,
  userName: 'ada',
  clientId: '2',
  'token-type': 'ACCESS',
  'refresh-token': 'a.e30.c',
};

const rows: readonly Row[] = [
  {
    name: 'xpay',
    dialect: xPay(),
    right: rightXPay,
    whole: {
      success: {
        message: 'Authenticated',
        data: {
          success: true,
          expiresAt: NOW + 3_600_000,
          user: { username: 'ada', scopes: ['tme_user'], isAPI: true },
          ticket: '0123456789abcdef',
          access_token: 'a-token',
        },
        uuid: '6ba7b810-9dad-41d1-80b4-00c04fd430c8',
      },
      uuid: '6ba7b810-9dad-41d1-80b4-00c04fd430c8',
    },
    optional: [
      'error',
      'uuid',
      'success.message',
      'success.uuid',
      'success.data.success',
      'success.data.expiresAt',
      'success.data.ticket',
      'success.data.user.scopes',
      'success.data.user.isAPI',
    ],
  },
  {
    name: 'gift-stream',
    dialect: giftStream(),
    right: rightGiftStream,
    whole: { message: 'OK', timestamp: NOW / 1_000, accessToken: unsignedJwt(claims), 'token-id': 16 },
    optional: ['message', 'timestamp', 'token-id'],
    tokenAt: 'accessToken',
  },
  {
    name: 'password-login',
    dialect: passwordLogin({ refreshPath: '/auth/refresh' }),
    right: rightPasswordLogin,
    whole: {
      access_token: unsignedJwt(claims),
      token_type: 'bearer',
      expires_in: 3_600,
      refresh_token: 'a-refresh-token',
      scope: 'reports:read',
    },
    optional: ['token_type', 'expires_in', 'refresh_token', 'scope'],
    tokenAt: 'access_token',
  },
];

describe.each(rows)('D13 · a login of $name', ({ dialect, right, whole, optional }) => {
  it.each(optional)('is granted with null for %s, as without it', async (field) => {
    const [withNull, without] = variants(whole, field.split('.'));
    const granted = await login(dialect, withNull);
    expect(granted).toHaveProperty('value');
    expect(granted).toEqual(await login(dialect, without));
  });

  it('has the same outcome with null for any field of any response as without the field', async () => {
    const cases = fc.tuple(right as fc.Arbitrary<Json>, fc.nat(), fc.constantFrom(200, 400, 401));
    await holdsInTime(
      fc.asyncProperty(cases, async ([body, at, status]) => {
        const fields = [['success'], ['error'], ...fieldsOf(body)];
        const [withNull, without] = variants(body, fields[at % fields.length] ?? []);
        expect(await login(dialect, withNull, status)).toEqual(await login(dialect, without, status));
      }),
    );
  });
});

const withClaims = rows.flatMap(({ tokenAt, ...row }) => (tokenAt === undefined ? [] : [{ ...row, tokenAt }]));

describe.each(withClaims)('D13 · a token of $name', ({ dialect, whole, tokenAt }) => {
  it.each(Object.keys(claims))('is granted with null for its claim %s, as without it', async (claim) => {
    const [withNull, without] = variants(claims, [claim]).map((said) => ({
      ...whole,
      // The claim `exp` counts only without that field.
      expires_in: null,
      [tokenAt]: unsignedJwt(said as Readonly<Record<string, Json>>),
    }));
    const granted = await login(dialect, withNull);
    expect(granted).toHaveProperty('value');
    expect(granted).toEqual(await login(dialect, without));
  });
});

/** The outcome of a login, without the token itself. */
async function login(dialect: Dialect, body: unknown, status = 200) {
  const answer: UpstreamAnswer = {
    status,
    text: JSON.stringify(body),
    receivedAt: NOW,
    upstreamNow: NOW,
    header: () => undefined,
  };
  const outcome = await outcomeOfPromise(() => dialect.authenticate(CREDENTIALS, upstreamOf(answer), 'own token'));
  if ('code' in outcome) return { code: outcome.code, reference: outcome.failure.reference };
  return { value: plain(outcome.value) };
}

function plain({ accessToken, refreshToken, ...grant }: Grant) {
  const { expiresAt, scopes } = accessToken;
  return { ...grant, expiresAt, tokenScopes: scopes, refreshToken: refreshToken instanceof Secret };
}

/** Returns the document with null at this path, and the document without that field. */
function variants(document: Json, [name = '', ...rest]: readonly string[]): readonly [Json, Json] {
  if (typeof document !== 'object' || document === null || Array.isArray(document)) return [document, document];
  const { [name]: there = null, ...others } = document;
  if (rest.length === 0) return [{ ...others, [name]: null }, others];
  const [withNull, without] = variants(there, rest);
  return [
    { ...others, [name]: withNull },
    { ...others, [name]: without },
  ];
}

/** Returns the paths of all fields of a document, at every depth. */
function fieldsOf(document: Json): string[][] {
  if (typeof document !== 'object' || document === null || Array.isArray(document)) return [];
  return Object.entries(document).flatMap(([name, there]) => [[name], ...fieldsOf(there).map((way) => [name, ...way])]);
}
