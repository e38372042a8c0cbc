import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { encodeJson } from './json.js';

describe('encodeJson', () => {
  it('E1 · property: writes every JSON value as JSON.stringify does', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        expect(encodeJson(value)).toBe(JSON.stringify(value));
      }),
    );
  });

  it('E1 · property: what it writes reads as JSON, and what it refuses is a matter of configuration', () => {
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
