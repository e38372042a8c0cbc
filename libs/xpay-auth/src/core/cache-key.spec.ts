import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { KeyedDigest, type CheckedCredentials, callerText, canonicalText, lengthPrefixed } from './credentials.js';

const check: CheckedCredentials = {
  instance: 'default',
  dialect: 'xpay',
  baseUrl: 'https://upstream.example.test',
  scheme: 'basic',
  username: 'ada@example.test',
  secretKey: 'a-secret-key',
};

const anyText = fc.string({ unit: fc.constantFrom('a', 'b', ':', '1', '2', '3', '\u0000', 'é', 'e\u0301', '😀') });

describe('cache keys', () => {
  it('B1 · 300-byte user names with different secrets never share a key, nor do long names that differ at the end', () => {
    const digest = new KeyedDigest();
    const keys = new Set<string>();
    for (const username of ['n'.repeat(300), `${'n'.repeat(299)}m`, 'é'.repeat(150), 'n'.repeat(72)]) {
      for (const secretKey of ['a', 'b', '', 'n'.repeat(72), `${'n'.repeat(72)}b`]) {
        keys.add(digest.of(canonicalText({ ...check, username, secretKey })));
        keys.add(digest.of(callerText({ username, secretKey })));
      }
    }
    expect(keys.size).toBe(4 * 5 * 2);
    for (const key of keys) expect(key).toMatch(/^[\0-\xff]{32}$/);
  });

  it('B2 · ("a", "bc") and ("ab", "c") have different keys', () => {
    expect(canonicalText({ ...check, username: 'a', secretKey: 'bc' })).not.toBe(
      canonicalText({ ...check, username: 'ab', secretKey: 'c' }),
    );
  });

  it('B2 · property: different fields give different texts', () => {
    fc.assert(
      fc.property(fc.array(anyText, { maxLength: 7 }), fc.array(anyText, { maxLength: 7 }), (one, other) => {
        expect(lengthPrefixed(one) === lengthPrefixed(other)).toBe(JSON.stringify(one) === JSON.stringify(other));
      }),
      { numRuns: 2_000 },
    );
  });

  it('B2 · property: moving a boundary between two fields gives another text', () => {
    fc.assert(
      fc.property(anyText, fc.nat(), fc.nat(), (text, at, other) => {
        const [one, two] = [at, other].map((cut) => cut % (text.length + 1)) as [number, number];
        const split = (cut: number) => ({ username: text.slice(0, cut), secretKey: text.slice(cut) });
        expect(canonicalText({ ...check, ...split(one) }) === canonicalText({ ...check, ...split(two) })).toBe(
          one === two,
        );
        expect(callerText(split(one)) === callerText(split(two))).toBe(one === two);
      }),
      { numRuns: 2_000 },
    );
  });

  it('B6 B8 · every field counts, to its last character', () => {
    const fields = Object.keys(check) as (keyof CheckedCredentials)[];
    const texts = new Set([canonicalText(check)]);
    for (const field of fields) {
      texts.add(canonicalText({ ...check, [field]: `${check[field]}x` }));
      texts.add(canonicalText({ ...check, [field]: check[field].slice(0, -1) }));
    }
    expect(texts.size).toBe(1 + 2 * fields.length);
  });

  it('B8 · tokens that begin alike have different keys', () => {
    const digest = new KeyedDigest();
    const start = 'eyJhbGciOiJIUzI1NiJ9.'.repeat(4);
    expect(digest.of(`Bearer ${start}a`)).not.toBe(digest.of(`Bearer ${start}b`));
  });

  it('B11 · hashes every text, including a digest and an empty text', () => {
    const digest = new KeyedDigest();
    for (const text of ['', 'a', digest.of('a'), 'A'.repeat(43) + '=', '0'.repeat(64)]) {
      expect(digest.of(text)).toMatch(/^[\0-\xff]{32}$/);
      expect(digest.of(text)).not.toBe(text);
    }
  });

  it('the same text has different digests in two tables', () => {
    expect(new KeyedDigest().of('a')).not.toBe(new KeyedDigest().of('a'));
  });

  it('the text of a caller is its Basic header; a username with a colon has a text that no header has', () => {
    expect(callerText({ username: 'Aladdin', secretKey: 'open sesame' })).toBe('Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==');
    expect(callerText({ username: 'a:b', secretKey: 'c' })).not.toBe(callerText({ username: 'a', secretKey: 'b:c' }));
    // No header value holds a NUL (RFC 9110 §5.5).
    expect(callerText({ username: 'a:b', secretKey: 'c' })).toBe('\u00003:a:b1:c');
  });
});
