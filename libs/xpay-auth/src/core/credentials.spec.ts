import { describe, expect, it } from '@jest/globals';
import { inspect } from 'node:util';
import { SealedCredentials, flawOf } from './credentials.js';

const of = (username: string, secretKey = 'k') => flawOf({ username, secretKey });

describe('credentials', () => {
  it('I8 · finds empty, too long and ill-formed fields and control characters without the upstream', () => {
    expect(of('ada')).toBeUndefined();
    expect([of(''), of('ada', ''), of('', '')]).toEqual(['empty', 'empty', 'empty']);
    expect([of('a\u0000'), of('a', '\u007f'), of('a\u0085')]).toEqual(['control', 'control', 'control']);
    expect([of('\ud800'), of('a', 'x\udc00')]).toEqual(['ill_formed', 'ill_formed']);
    expect([of('n'.repeat(4_096)), of('n'.repeat(4_097)), of('€'.repeat(1_366))]).toEqual([
      undefined,
      'too_long',
      'too_long',
    ]);
    for (const fine of [' ada ', 'é', 'e\u0301', '😀', '\ufeff', 'a:b']) expect(of(fine)).toBeUndefined();
  });

  it('reports another flaw before an empty secret', () => {
    expect([of('a\nb', ''), of('n'.repeat(5_000), '')]).toEqual(['control', 'too_long']);
  });

  it('sealed credentials do not print', () => {
    const sealed = SealedCredentials.of({ username: 'ada', secretKey: 'a-secret-key' });
    expect(SealedCredentials.of(sealed)).toBe(sealed);
    const printed = [
      String(sealed),
      JSON.stringify({ sealed }),
      inspect(sealed, { showHidden: true }),
      inspect([sealed]),
    ];
    for (const text of printed) expect(text).not.toContain('a-secret-key');
    expect(sealed.secretKey).toBe('a-secret-key');
  });
});
