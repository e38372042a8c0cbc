import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { AccessToken } from '../../core/credentials.js';
import { XPayAuthError } from '../../core/errors.js';
import type { ApiCall, Grant, UpstreamAnswer } from '../../core/ports.js';
import { xPay } from './xpay.dialect.js';
import { decodeEnvelope, decodeGrant } from './xpay.wire.js';

const A_UUID = '0b8c6c1e-4f0d-4a7e-9a51-6f2d3c1b7e90';

const answerOf = (text: string, status = 200): UpstreamAnswer => ({
  status,
  text,
  receivedAt: 0,
  upstreamNow: undefined,
  header: () => undefined,
});

/** Its value, or the code of the error it threw; anything else that is thrown fails the test. */
function decoded<T>(decode: () => T): { value: T } | { code: string } {
  try {
    return { value: decode() };
  } catch (thrown) {
    if (thrown instanceof XPayAuthError && thrown.code.startsWith('upstream_')) return { code: thrown.code };
    throw new Error('a decoder threw something else', { cause: thrown });
  }
}

function grantOf(answer: UpstreamAnswer): Grant | undefined {
  const envelope = decodeEnvelope(answer);
  return envelope.kind === 'success' ? decodeGrant(answer, envelope.data, envelope.reference) : undefined;
}

const oneOf = (...good: unknown[]) =>
  fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...good) }, { weight: 1, arbitrary: fc.jsonValue() });

const whole = (fields: Record<string, fc.Arbitrary<unknown>>) =>
  fc.oneof(fc.record(fields), fc.record(fields, { requiredKeys: [] }));

/** JSON that is right in most places, so that every rule of a decoder is the one that decides now and then. */
const user = whole({ username: oneOf('eve@example.test'), scopes: oneOf(['tme_user'], []), isAPI: oneOf(true) });
const data = whole({ success: oneOf(true), expiresAt: oneOf(1_900_000_000_000), user, access_token: oneOf('a.b.c') });
const success = whole({ message: oneOf('Authenticated'), data, uuid: oneOf('u-1') });
const error = whole({ message: oneOf('no'), data: oneOf(null), tag: oneOf('t-1') });
const nearlyAGrant = fc.record(
  { success: fc.oneof(success, success, fc.jsonValue()), error, uuid: oneOf('u-1') },
  { requiredKeys: [] },
);

const anyJson = fc.oneof(
  fc.json(),
  nearlyAGrant.map((value) => JSON.stringify(value)),
  fc.string(),
);
const anyStatus = fc.constantFrom(200, 201, 204, 302, 400, 401, 403, 404, 422, 429, 500, 502, 503);

describe('the response of xPay.stream', () => {
  it('is decoded to a value or thrown as one of the upstream_… codes, whatever it is', () => {
    fc.assert(
      fc.property(anyJson, anyStatus, (text, status) => {
        decoded(() => grantOf(answerOf(text, status)));
      }),
      { numRuns: 2_000 },
    );
  });

  it('is decoded so by the API as well', () => {
    const { api } = xPay();
    const token = new AccessToken('token-1');
    const call: ApiCall = { method: 'POST', path: '/client/wallets/find', uuid: 'u-1' };
    fc.assert(
      fc.property(anyJson, anyStatus, (text, status) => {
        decoded(() => api.decode(answerOf(text, status), call, token));
      }),
      { numRuns: 1_000 },
    );
  });

  it('brings only grants that can be used as they are', () => {
    let grants = 0;
    fc.assert(
      fc.property(fc.record({ success }), (body) => {
        const outcome = decoded(() => grantOf(answerOf(JSON.stringify(body))));
        if (!('value' in outcome) || outcome.value === undefined) return;
        grants++;
        const { accessToken, username, scopes, isAPI } = outcome.value;
        expect(accessToken.value).toMatch(/^[\x21-\x7e]+$/);
        expect(username).not.toBe('');
        expect(scopes.every((scope) => typeof scope === 'string')).toBe(true);
        expect(typeof isAPI).toBe('boolean');
        expect(['number', 'undefined']).toContain(typeof accessToken.expiresAt);
      }),
      { numRuns: 2_000, seed: 20_260_101 },
    );
    // Or the property would say nothing.
    expect(grants).toBeGreaterThan(50);
  });

  it.each(['', 'eyJhbGciOiJIUzI1NiJ9.e30.c2ln', `${A_UUID}\n`, `x${A_UUID}`, 5, null, {}])(
    'O17 · has no reference where %p stands for a UUID: it is written to logs',
    (value) => {
      const answer = answerOf(JSON.stringify({ error: { message: 'no', tag: value }, uuid: value }));
      expect(decodeEnvelope(answer).reference).toEqual({});
    },
  );

  it('is not mistaken because of a key that every object has', () => {
    expect(decoded(() => decodeEnvelope(answerOf('{"__proto__":{"success":{"data":1}}}')))).toEqual({
      code: 'upstream_malformed',
    });
  });
});
