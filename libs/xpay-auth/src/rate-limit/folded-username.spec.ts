import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { anyText } from '../../../../test/support/any-text.js';
import { foldedUsername } from './attempts.js';

const INVISIBLE = /[\s\p{M}\p{Cf}\p{Cc}\p{Default_Ignorable_Code_Point}]/gu;
const shown = (text: string): boolean => text.replace(INVISIBLE, '') !== '';
const anyName = anyText({ maxLength: 40 });

describe('foldedUsername', () => {
  it.each<[string, string[]]>([
    [
      'ada@example.test',
      ['ADA@Example.test', 'ａｄａ@example.test', ' ada@example.test\t', 'ada@example.test.', 'ádà@exämple.test'],
    ],
    ['strasse', ['straße', 'STRASSE', 'STRAẞE', 'ſtraſſe']],
    ['bjorn', ['bjørn', 'BJØRN', 'björn', 'bjo\u0338rn']],
    ['lodz', ['łódź', 'ŁÓDŹ']],
    ['dordevic', ['đorđević', 'ðorðević']],
    ['thor', ['þor', 'Þór']],
    ['taet', ['ŧæŧ', 'ŦÆT']],
    ['oeuvre', ['œuvre', 'Œuvre']],
    ['idil', ['ıdıl', 'İDİL', 'IDIL', 'idil']],
    ['σοφοσ', ['σοφος', 'ΣΟΦΟΣ', 'σοφός']],
    [
      'admin',
      [
        'ad\u200bmin',
        'ad\u3164min',
        '\u115fadmin',
        'ad\u034fmin',
        'admin\ufe0f',
        'admin\u{e0041}',
        'admin \u00a0',
        'admin . .',
        'admin。',
      ],
    ],
  ])('I5 · %s shares its budget with its other spellings', (name, spellings) => {
    expect([...new Set(spellings.map(foldedUsername))]).toEqual([name]);
    expect(foldedUsername(name)).toBe(name);
  });

  it('I5 · names that show different letters, inner spaces or inner dots stay apart', () => {
    const names = [
      'ada',
      'adam',
      'a da',
      'a.da',
      '.ada',
      'аda',
      'ada1',
      'Ада',
      '安',
      '安德',
      '.',
      '..',
      '\u3164',
      '\u200b',
      ' ',
    ];
    expect(new Set(names.map(foldedUsername)).size).toBe(names.length);
  });

  it('I5 · folding twice is folding once, for every letter and any name', () => {
    const differing: string[] = [];
    for (let point = 1; point <= 0x10ffff; point++) {
      const letter = String.fromCodePoint(point);
      if (/[\p{Cn}\p{Co}\p{Cs}\p{Script=Han}]/u.test(letter)) continue;
      const name = `a${letter}b`;
      const once = foldedUsername(name);
      if (foldedUsername(once) !== once) differing.push(point.toString(16));
    }
    expect(differing).toEqual([]);
    fc.assert(fc.property(anyName, (name) => foldedUsername(foldedUsername(name)) === foldedUsername(name)));
  });

  it('I5 · a name is never folded to nothing, and one that shows something never to what shows nothing', () => {
    fc.assert(
      fc.property(anyName, (name) => {
        return foldedUsername(name) === '' ? name === '' : shown(foldedUsername(name)) === shown(name);
      }),
    );
  });
});
