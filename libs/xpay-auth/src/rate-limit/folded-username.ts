/**
 * Letters that some collations and directories equate with others, although Unicode does not decompose them: those with a
 * stroke, hook or tail, ligatures, eth, thorn, eng, kra, the final sigma, and the ideographic full stop. In lower case.
 */
const EQUATED: Readonly<Record<string, string>> = {
  æ: 'ae',
  œ: 'oe',
  ø: 'o',
  ɵ: 'o',
  đ: 'd',
  ð: 'd',
  ɖ: 'd',
  ɗ: 'd',
  þ: 'th',
  ŧ: 't',
  ƭ: 't',
  ʈ: 't',
  ħ: 'h',
  ɦ: 'h',
  ı: 'i',
  ɨ: 'i',
  ȷ: 'j',
  ɉ: 'j',
  ł: 'l',
  ƚ: 'l',
  ɫ: 'l',
  ŋ: 'n',
  ɲ: 'n',
  ƞ: 'n',
  ĸ: 'k',
  ƙ: 'k',
  ƀ: 'b',
  ɓ: 'b',
  ƈ: 'c',
  ȼ: 'c',
  ƒ: 'f',
  ǥ: 'g',
  ɠ: 'g',
  ƥ: 'p',
  ɍ: 'r',
  ʉ: 'u',
  ʋ: 'v',
  ɏ: 'y',
  ƴ: 'y',
  ƶ: 'z',
  ȥ: 'z',
  ς: 'σ',
  '。': '.',
};

/** Combining characters, such as accents, and invisible characters. */
const UNSEEN = /[\p{M}\p{Cf}\p{Default_Ignorable_Code_Point}]/gu;
const NOT_ASCII = /[^\0-\x7f]/gu;
const OUTER = /^\s+|[\s.]+$/gu;

/**
 * Returns the username without the differences that an upstream may ignore: those of compatibility forms (NFKD) and case,
 * accents, invisible characters, the letters of {@link EQUATED}, outer spaces and dots at the end. docs/security.md lists them.
 * For keys of counters and cooldowns only. The upstream receives the username unchanged.
 */
export function foldedUsername(username: string): string {
  const letters = folded(folded(username));
  // A name of dots or of invisible characters only stays apart from all others.
  return letters.replace(OUTER, '') || letters.trim() || username;
}

/** Upper case first: it has the full mappings, such as `ß` to `SS`. */
function folded(text: string): string {
  return text
    .normalize('NFKD')
    .replace(UNSEEN, '')
    .toUpperCase()
    .toLowerCase()
    .replace(NOT_ASCII, (letter) => EQUATED[letter] ?? letter);
}
