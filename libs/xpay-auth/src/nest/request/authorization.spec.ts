import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { anyText } from '../../../../../test/support/any-text.js';
import { parseAuthorization, parseBasic, parseBearer } from './caller-reader.js';
import { XPayAuthError } from '../../core/errors.js';

const read = (header: string) => {
  const { scheme, rest } = parseAuthorization(header);
  const { username, secretKey } = parseBasic(rest);
  return { scheme, username, secretKey };
};

/** Returns the value of a parser, or its XPayAuthError. Any other error fails the test. */
const outcome = (parse: () => unknown): unknown => {
  try {
    return parse();
  } catch (thrown) {
    if (thrown instanceof XPayAuthError) return thrown.code;
    throw thrown;
  }
};

const encode = (text: string): string => Buffer.from(text).toString('base64');

describe('Authorization', () => {
  it('RFC 7617 §2 · the example: Aladdin, open sesame', () => {
    expect(read('Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==')).toEqual({
      scheme: 'basic',
      username: 'Aladdin',
      secretKey: 'open sesame',
    });
  });

  it('RFC 7617 §2.1 · the example in UTF-8: test, 123£', () => {
    expect(read('Basic dGVzdDoxMjPCow==')).toEqual({ scheme: 'basic', username: 'test', secretKey: '123£' });
  });

  it('RFC 6750 §2.1 · the example: mF_9.B5f-4.1JqM', () => {
    const { scheme, rest } = parseAuthorization('Bearer mF_9.B5f-4.1JqM');
    expect([scheme, parseBearer(rest)]).toEqual(['bearer', 'mF_9.B5f-4.1JqM']);
  });

  it('RFC 6750 §2.1 · b64token: the alphabet, padding at the end alone', () => {
    for (const token of ['a', 'AZaz09-._~+/', 'a=', 'a==']) expect(parseBearer(token)).toBe(token);
    for (const token of ['', '=', 'a=b', 'a b', 'a,b', 'a"b', 'ä', 'a\n']) {
      expect(outcome(() => parseBearer(token))).toBe('invalid_request');
    }
  });

  it('RFC 9110 §11.1 · the scheme in any case, one space or more before the rest', () => {
    for (const header of ['Basic eDp5', 'bAsIc eDp5', 'BASIC    eDp5']) {
      expect(read(header)).toEqual({ scheme: 'basic', username: 'x', secretKey: 'y' });
    }
    expect(parseAuthorization('Negotiate')).toEqual({ scheme: 'negotiate', rest: '' });
    for (const header of ['', ' ', ' Basic eDp5', 'Basic\teDp5', '(x) y', 'Basic,eDp5', 'Bäsic x']) {
      expect(outcome(() => parseAuthorization(header))).toBe('invalid_request');
    }
  });

  it('a header that is longer than any credentials is not looked at', () => {
    expect(outcome(() => parseAuthorization(`Basic ${'A'.repeat(12_288)}`))).toBe('invalid_request');
    expect(read(`Basic ${encode(`${'n'.repeat(4_096)}:${'k'.repeat(4_096)}`)}`).secretKey).toHaveLength(4_096);
  });

  it('I8 · one pair of credentials has one spelling: padding, alphabet and trailing bits are as RFC 4648 has them', () => {
    for (const rest of ['eDp5eg', 'eDp5eh==', 'eDp5_w==', 'eDp5-w==', 'eD p5', '', 'eDp5,', 'e===']) {
      expect(outcome(() => parseBasic(rest))).toBe('invalid_request');
    }
  });

  it('I8 · bytes that are no UTF-8 are refused, overlong forms and surrogates too', () => {
    for (const bytes of [[0xff], [0xe4, 0x3a], [0xc0, 0xba], [0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80]]) {
      const rest = Buffer.from([0x61, 0x3a, ...bytes]).toString('base64');
      expect(outcome(() => parseBasic(rest))).toBe('invalid_request');
    }
  });

  it('I8 · property: decodes byte for byte, and splits at the first colon', () => {
    const name = anyText().filter((text) => !text.includes(':') && text.isWellFormed());
    const secret = anyText().filter((text) => text.isWellFormed());
    fc.assert(
      fc.property(name, secret, (username, secretKey) => {
        expect(read(`Basic ${encode(`${username}:${secretKey}`)}`)).toEqual({ scheme: 'basic', username, secretKey });
      }),
    );
  });

  it('property: any header gives a value or an XPayAuthError', () => {
    const anything = fc.oneof(
      anyText(),
      anyText().map((text) => `Basic ${text}`),
      fc.uint8Array().map((bytes) => `Basic ${Buffer.from(bytes).toString('base64')}`),
      fc.base64String().map((text) => `basic ${text}`),
    );
    fc.assert(
      fc.property(anything, (header) => {
        outcome(() => read(header));
        outcome(() => parseBearer(header));
      }),
      { numRuns: 1_000 },
    );
  });
});
