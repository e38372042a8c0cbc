import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { encodeForm, encodeJson } from './encode.js';

describe('encodeJson', () => {
  it('E1 · property: writes every JSON value as JSON.stringify does', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        expect(encodeJson(value)).toBe(JSON.stringify(value));
      }),
    );
  });

  it('E1 · property: the output is valid JSON, and any rejection has the code configuration', () => {
    const anything = fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withTypedArray: true,
      withNullPrototype: true,
      withSparseArray: true,
      withBoxedValues: true,
    });
    fc.assert(
      fc.property(anything, (value) => {
        let text: string;
        try {
          text = encodeJson(value);
        } catch (failure) {
          expect(failure).toMatchObject({ code: 'configuration' });
          return;
        }
        expect(text).toBe(JSON.stringify(value));
      }),
    );
  });

  it('E1 · names the type that a class gives itself only where that is a plain name', () => {
    class Strange {}
    Object.defineProperty(Strange, 'name', { value: 'secret\n[Nest] LOG' });
    expect(() => encodeJson(new Strange())).toThrow('it is of type Object.');
    expect(() => encodeJson({ 'a b': new Map() })).toThrow('a member is of type Map.');
  });

  it('E1 · refuses undefined as the whole body', () => {
    expect(() => encodeJson(undefined)).toThrow(expect.objectContaining({ code: 'configuration' }));
  });
});

describe('encodeForm', () => {
  it('property: the output decodes to the input, byte for byte', () => {
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
