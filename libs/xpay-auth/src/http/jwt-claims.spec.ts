import { describe, expect, it } from '@jest/globals';
import { claimsOf } from './jwt-claims.js';

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
