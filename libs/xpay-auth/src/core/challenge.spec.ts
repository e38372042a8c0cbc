import { describe, expect, it } from '@jest/globals';
import { type ChallengeContext, challengeFor } from './challenge.js';
import { FAILURES, XPayAuthError, type XPayAuthErrorCode } from './errors.js';

const context: ChallengeContext = {
  realm: 'xpay',
  schemes: [{ scheme: 'Basic', parameters: { charset: 'UTF-8' } }, { scheme: 'Bearer' }],
};
const of = (code: XPayAuthErrorCode, more: Partial<ChallengeContext> = {}) =>
  challengeFor(new XPayAuthError(code, 'why', { requiredScopes: ['a', 'b'] }), { ...context, ...more });
const forScopes = (...requiredScopes: string[]) =>
  challengeFor(new XPayAuthError('insufficient_scope', 'why', { requiredScopes }), context);

describe('challenges', () => {
  it('I7 · only 401 and 403 have a challenge', () => {
    const codes = (Object.keys(FAILURES) as XPayAuthErrorCode[]).filter((code) => of(code) !== undefined);
    expect(codes).toEqual(['missing_credentials', 'invalid_credentials', 'invalid_token', 'insufficient_scope']);
  });

  it('RFC 6750 §3.1 · the challenge has an error only if the request had a token', () => {
    expect(of('missing_credentials')).toBe('Basic realm="xpay", charset="UTF-8", Bearer realm="xpay"');
    expect(of('invalid_token')).toBe('Basic realm="xpay", charset="UTF-8", Bearer realm="xpay", error="invalid_token"');
    expect(of('insufficient_scope')).toBe('Bearer error="insufficient_scope", scope="a b"');
  });

  it('RFC 6750 §3 · the scopes of a 403 are only scope tokens, and without one there is no list', () => {
    expect(forScopes('a"b', 'ok', 'c d', '€')).toBe('Bearer error="insufficient_scope", scope="ok"');
    expect(forScopes('€')).toBe('Bearer error="insufficient_scope"');
  });

  it('RFC 9110 §5.6.4 · quotes and backslashes of a realm are escaped', () => {
    expect(of('missing_credentials', { realm: 'a"b\\c', schemes: [{ scheme: 'Bearer' }] })).toBe(
      'Bearer realm="a\\"b\\\\c"',
    );
  });

  it('I7 · a script is not offered Basic; if only Basic is accepted there is no challenge', () => {
    expect(of('missing_credentials', { fromScript: true })).toBe('Bearer realm="xpay"');
    expect(of('missing_credentials', { fromScript: true, schemes: [{ scheme: 'BASIC' }] })).toBeUndefined();
  });
});
