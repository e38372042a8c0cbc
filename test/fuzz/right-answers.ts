import fc from 'fast-check';
import { anyText } from '../support/any-text.js';

/** The secrets in the requests, which some of the responses echo. */
export const SECRETS = { secretKey: 'key-that-must-not-show-31415', token: 'token-that-must-not-show-27182' } as const;

const EXPIRES_AT = Date.UTC(2026, 0, 2);
const words = fc.oneof(
  fc.constantFrom(
    'invalid credentials',
    'Invalid Credentials',
    'invalid token',
    'token expired',
    'maintenance',
    'Missing Token',
  ),
  fc.constantFrom(...Object.values(SECRETS)).map((secret) => `bad request: ${secret}`),
  fc
    .tuple(
      fc.constantFrom(' ', '\n', '\u0000'),
      fc.constantFrom(1, 300, 1_500),
      fc.constantFrom(...Object.values(SECRETS)),
    )
    .map(([pad, times, secret]) => pad.repeat(times) + secret),
  anyText({ maxLength: 300 }),
);

/** The claims of a JWT, similar to those of the vendors. */
const claims: fc.Arbitrary<Record<string, unknown>> = fc.record(
  {
    iat: fc.constant(1_767_225_600),
    exp: fc.oneof(
      fc.constantFrom<unknown>(1_767_312_000, '1767312000', 1_767_312_000_000, null, 'soon', -1),
      fc.double(),
    ),
    userName: fc.oneof(fc.constantFrom<unknown>('ada@example.test', '', 'a\nb', 7, null), anyText()),
    'token-type': fc.constantFrom<unknown>('REFRESH', 'refresh', undefined),
    'refresh-token': fc.constantFrom<unknown>('a.e30.c', 'no jwt', '', 7, {}),
  },
  { requiredKeys: [] },
);

export const jwt: fc.Arbitrary<string> = fc.oneof(
  {
    weight: 4,
    arbitrary: claims.map((said) => `${base64url('{"typ":"JWT"}')}.${base64url(JSON.stringify(said))}.c2ln`),
  },
  { weight: 1, arbitrary: fc.array(fc.base64String(), { maxLength: 6 }).map((parts) => parts.join('.')) },
  { weight: 1, arbitrary: anyText().map((text) => `e30.${base64url(text)}.c2ln`) },
  { weight: 1, arbitrary: fc.constantFrom('.', '..', '...', 'a.b', '.'.repeat(5_000)) },
);

export const rightXPay: fc.Arbitrary<unknown> = fc.oneof(
  fc.record({ token: jwt, scopes: fc.array(fc.string()) }).map(({ token, scopes }) => ({
    success: {
      message: 'Authenticated',
      data: {
        success: true,
        expiresAt: EXPIRES_AT,
        user: { username: 'ada@example.test', scopes, isAPI: true },
        access_token: token,
      },
      uuid: '6ba7b810-9dad-41d1-80b4-00c04fd430c8',
    },
  })),
  words.map((message) => ({ error: { message, data: { invalid: true }, tag: message }, uuid: message })),
);

export const rightGiftStream: fc.Arbitrary<unknown> = fc.oneof(
  jwt.map((accessToken) => ({ message: 'OK', timestamp: 1_767_225_600, accessToken, 'token-id': 16 })),
  words.map((message) => ({ message, timestamp: 1_767_225_600 })),
);

export const rightPasswordLogin: fc.Arbitrary<unknown> = fc.oneof(
  fc
    .record({
      access_token: jwt,
      token_type: fc.constantFrom('bearer', 'Bearer', 'mac', ''),
      expires_in: fc.constantFrom<unknown>(3_600, '3600', 0, -1, 1e300, '٣', '1e3', null),
      scope: fc.oneof(fc.string(), fc.array(fc.string())),
    })
    .map((body) => body),
  words.map((detail) => ({ detail })),
  words.map((msg) => ({ detail: [{ type: 'missing', loc: ['body'], msg, input: SECRETS }] })),
  words.map((error_description) => ({ error: 'invalid_grant', error_description })),
);

function base64url(text: string): string {
  return Buffer.from(text).toString('base64url');
}
