import { beforeAll, describe, expect, it } from '@jest/globals';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './markdown.js';

/** The codes at the start of a title in quotes, such as `I10 B10 · ends one session`. */
const TITLE = /['"`]([A-Z]\d{1,2}(?:,? [A-Z]\d{1,2})*) · /g;
const SKIPPED = new Set(['node_modules', 'dist', 'coverage']);

describe('docs/behaviours.md', () => {
  let defined: readonly string[];
  /** Files by the code that their titles use. */
  const used = new Map<string, Set<string>>();

  beforeAll(() => {
    const page = readFileSync(join(root, 'docs/behaviours.md'), 'utf8');
    defined = [...page.matchAll(/^\| ([A-Z]\d{1,2}) +\|/gm)].map(([, code = '']) => code);
    for (const path of ['test', 'libs/xpay-auth/src', 'src', 'examples'].flatMap(sourcesBelow)) {
      for (const [, codes = ''] of readFileSync(join(root, path), 'utf8').matchAll(TITLE)) {
        for (const code of codes.split(/,? /)) used.set(code, (used.get(code) ?? new Set()).add(path));
      }
    }
  });

  it('defines each code once', () => {
    expect(defined.length).toBeGreaterThan(50);
    expect(defined.filter((code, at) => defined.indexOf(code) !== at)).toEqual([]);
  });

  it('defines every code that a test title uses', () => {
    const undefinedCodes = [...used].filter(([code]) => !defined.includes(code));
    expect(undefinedCodes.map(([code, files]) => `${code}: ${[...files].join(', ')}`)).toEqual([]);
  });

  it('defines only codes that a test title uses', () => {
    expect(defined.filter((code) => !used.has(code))).toEqual([]);
  });
});

function sourcesBelow(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : sourcesBelow(path);
    return entry.name.endsWith('.ts') ? [path] : [];
  });
}
