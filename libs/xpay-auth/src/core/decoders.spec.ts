import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { UpstreamAnswer } from '../core/ports.js';
import { claimsOf, decodeText, isName, isToken, jsonObject, msFromSeconds, parseHttpDate } from './decoders.js';

const answer = (text: string): UpstreamAnswer => ({
  status: 200,
  text,
  receivedAt: 0,
  upstreamNow: undefined,
  header: () => undefined,
});

describe('a body', () => {
  it('is text, and empty where there are no bytes', () => {
    expect(decodeText(Buffer.from('žluť'))).toBe('žluť');
    expect(decodeText(Buffer.from('\ufeffa'))).toBe('a');
    expect(decodeText(undefined)).toBe('');
    expect(decodeText({ not: 'bytes' })).toBe('');
    expect(decodeText(Buffer.alloc(0), 'text/plain; charset=klingon')).toBe('');
  });

  it.each<[string | undefined, string | undefined]>([
    [undefined, undefined],
    ['application/json', undefined],
    ['application/json; charset=utf-8', undefined],
    ['application/json; charset="utf-8"', undefined],
    ['application/json; charset=utf-7', undefined],
    ['application/json; charset=klingon', undefined],
    ['latin1', undefined],
    ['application/json; charset=latin1', 'Jörg'],
    ['application/json;CHARSET="ISO-8859-1"', 'Jörg'],
    ['text/plain; format=flowed; charset=windows-1252', 'Jörg'],
  ])('D12 · in Latin-1 with the Content-Type %j is decoded to %j', (contentType, text) => {
    expect(decodeText(Buffer.from('Jörg', 'latin1'), contentType)).toBe(text);
  });

  it.each(['json; charset=latin1', 'application/json; format=flowed'])(
    'in UTF-8 is decoded with the Content-Type %j, from which no charset can be read',
    (contentType) => {
      expect(decodeText(Buffer.from('žluť'), contentType)).toBe('žluť');
    },
  );

  it('is a JSON object or nothing', () => {
    expect(jsonObject(answer('{"a":1}'))).toEqual({ a: 1 });
    for (const text of ['', '[]', 'null', '1', '"a"', '{"a":', '<html>']) {
      expect(jsonObject(answer(text))).toBeUndefined();
    }
  });
});

describe('the syntax of tokens and names', () => {
  it('a token is visible ASCII without a space, so that it fits a header', () => {
    expect(isToken('eyJhbGciOiJIUzI1NiJ9.e30.c2ln')).toBe(true);
    for (const value of ['', 'two words', 'line\r\nbreak', 'é', undefined, 5]) expect(isToken(value)).toBe(false);
  });

  it('a name is anything of up to 4,096 bytes that cannot forge a line of a log', () => {
    const longest = 'ä'.repeat(2_048);
    for (const value of ['admin', 'žofie@example.test', 'two words', 'a:b', longest]) expect(isName(value)).toBe(true);
    for (const value of ['', 'a\nb', 'a\u0000', '\ud800', `${longest}x`, undefined, 5]) {
      expect(isName(value)).toBe(false);
    }
  });
});

describe('an HTTP date (RFC 9110 §5.6.7)', () => {
  it.each(['Sun, 06 Nov 1994 08:49:37 GMT', 'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994'])(
    'is read in each of the three forms: %s',
    (text) => expect(parseHttpDate(text)).toBe(784_111_777_000),
  );

  it('is what toUTCString writes, for any time that has four digits to its year', () => {
    const range = { min: new Date('0100-01-01T00:00:00Z'), max: new Date('9999-12-31T23:59:59Z'), noInvalidDate: true };
    fc.assert(
      fc.property(fc.date(range), (date) => {
        expect(parseHttpDate(date.toUTCString())).toBe(Math.floor(date.getTime() / 1_000) * 1_000);
      }),
    );
  });

  it.each([
    '',
    '0',
    '-1',
    '1.5',
    '2026',
    'soon 5',
    '1 (comment)',
    '2026-01-01T00:00:00Z',
    'Thu, 32 Jan 2026 00:00:00 GMT',
    'Thu, 01 Jan 2026 25:00:00 GMT',
    'Thu, 01 Jan 2026 00:00:00 +0500',
    'Thu, 01 Jan 2026 00:00:00 GMT, Thu, 01 Jan 2026 00:00:00 GMT',
  ])('is not %j', (text) => expect(parseHttpDate(text)).toBeUndefined());
});

describe('msFromSeconds', () => {
  it('takes numbers, and numbers as text', () => {
    expect([60, '60', '0.5', -1, '-1', 0].map((value) => msFromSeconds(value, 'exp'))).toEqual([
      60_000, 60_000, 500, -1_000, -1_000, 0,
    ]);
  });

  it('leaves alone what is not there', () => {
    expect([undefined, null].map((value) => msFromSeconds(value, 'exp'))).toEqual([undefined, undefined]);
  });

  it.each(['', ' ', 'soon', '1e3', '0x10', '9'.repeat(400), true, {}, [60]])('O12 · is malformed: %j', (value) => {
    expect(() => msFromSeconds(value, 'exp')).toThrow(expect.objectContaining({ code: 'upstream_malformed' }));
  });
});

const part = (text: string): string => Buffer.from(text).toString('base64url');

describe('claimsOf', () => {
  it('reads the claims of a JWT, whatever its signature', () => {
    expect(claimsOf(`${part('{}')}.${part('{"exp":1,"userName":"ädä"}')}.sig`)).toEqual({ exp: 1, userName: 'ädä' });
  });

  it.each([
    '',
    'opaque',
    'a.b',
    'a.b.c.d',
    `a.${part('[1]')}.c`,
    `a.${part('"text"')}.c`,
    `a.${part('null')}.c`,
    'a.%%%.c',
    `a.${Buffer.from('{"userName":"Jörg"}', 'latin1').toString('base64url')}.c`,
  ])('sees no JWT in %j', (token) => expect(claimsOf(token)).toBeUndefined());
});
