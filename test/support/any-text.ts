import fc from 'fast-check';

/** Number of code points between the first surrogate and the last. */
const SURROGATES = 0x800;
const FIRST_SURROGATE = 0xd800;

const character = fc.nat({ max: 0x10ffff - SURROGATES }).map(
  (index) => String.fromCodePoint(index < FIRST_SURROGATE ? index : index + SURROGATES),
  (text) => {
    const code = typeof text === 'string' ? text.codePointAt(0) : undefined;
    if (code === undefined || text !== String.fromCodePoint(code)) throw new Error('not one character');
    return code < FIRST_SURROGATE ? code : code - SURROGATES;
  },
);

/**
 * Texts of any characters: the same texts as `fc.string({ unit: 'binary' })`, which costs each spec a second of CPU time and 100 MB,
 * because it builds a table of all 1.1 million characters.
 */
export function anyText(constraints: Pick<fc.StringConstraints, 'maxLength'> = {}): fc.Arbitrary<string> {
  return fc.string({ ...constraints, unit: character });
}
