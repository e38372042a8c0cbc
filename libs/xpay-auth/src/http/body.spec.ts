import { describe, expect, it } from '@jest/globals';
import type { UpstreamAnswer } from '../core/ports.js';
import { decodeText, isName, isToken, jsonObject, oneLine } from './body.js';

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
    ['application/json; charset=utf-7', undefined],
    ['application/json; charset=klingon', undefined],
    ['latin1', undefined],
    ['application/json; charset=latin1', 'Jörg'],
    ['application/json;CHARSET="ISO-8859-1"', 'Jörg'],
    ['text/plain; format=flowed; charset=windows-1252', 'Jörg'],
  ])('D12 · in Latin-1 with the Content-Type %j is decoded to %j', (contentType, text) => {
    expect(decodeText(Buffer.from('Jörg', 'latin1'), contentType)).toBe(text);
  });

  it('is a JSON object or nothing', () => {
    expect(jsonObject(answer('{"a":1}'))).toEqual({ a: 1 });
    for (const text of ['', '[]', 'null', '1', '"a"', '{"a":', '<html>']) {
      expect(jsonObject(answer(text))).toBeUndefined();
    }
  });
});

describe("an upstream's own words", () => {
  it('are one line', () => {
    expect(oneLine('  out of\r\norder\u2028now ')).toBe('out of order now');
  });

  it('cannot move the cursor of a terminal', () => {
    expect(oneLine('\u001b[2Jgone\u0000')).toBe('[2Jgone');
    expect(oneLine('paid\u202edeifirev ton\u2066')).toBe('paid deifirev ton');
  });

  it.each([undefined, null, 5, {}, '', ' \n '])('are nothing when they are %p', (value) => {
    expect(oneLine(value)).toBeUndefined();
  });
});

describe('what may be a token or a name', () => {
  it('a token is visible ASCII without a space, so that it fits a header', () => {
    expect(isToken('eyJhbGciOiJIUzI1NiJ9.e30.c2ln')).toBe(true);
    for (const value of ['', 'two words', 'line\r\nbreak', 'é', undefined, 5]) expect(isToken(value)).toBe(false);
  });

  it('a name is anything that cannot forge a line of a log', () => {
    for (const value of ['admin', 'žofie@example.test', 'two words', 'a:b']) expect(isName(value)).toBe(true);
    for (const value of ['', 'a\nb', 'a\u0000', '\ud800', undefined, 5]) expect(isName(value)).toBe(false);
  });
});
