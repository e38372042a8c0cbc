import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { encodeForm } from './form.js';

describe('encodeForm', () => {
  it('property: what is written is read back, byte for byte', () => {
    const texts = fc.dictionary(fc.string({ unit: 'grapheme', minLength: 1 }), fc.string({ unit: 'grapheme' }));
    fc.assert(
      fc.property(texts, (fields) => {
        expect(Object.fromEntries(new URLSearchParams(encodeForm(fields)))).toEqual({ ...fields });
      }),
    );
  });

  it('writes numbers and booleans, and leaves out what is not there', () => {
    expect(encodeForm({ a: 1.5, b: true, c: false, d: undefined, e: null, f: ' +&', g: 10n })).toBe(
      'a=1.5&b=1&c=0&f=+%2B%26&g=10',
    );
    expect(encodeForm(new URLSearchParams({ a: 'b c' }))).toBe('a=b+c');
  });

  it.each([
    { secret: { inner: 'hidden' } },
    { secret: ['hidden'] },
    { secret: NaN },
    'hidden',
    ['hidden'],
    null,
    undefined,
  ])('refuses %j, naming the field and never its value', (fields) => {
    const refused = expect.objectContaining({
      code: 'configuration',
      message: expect.not.stringContaining('hidden'),
    });
    expect(() => encodeForm(fields)).toThrow(refused);
  });
});
