import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
type Combination = Readonly<Record<string, string>>;

const { combinations, uncovered } = (await import(join(root, 'scripts/matrix/generate.mjs'))) as {
  combinations: () => Combination[];
  uncovered: (rows: Combination[]) => string[];
};
const { FORBIDDEN } = (await import(join(root, 'scripts/matrix/factors.mjs'))) as {
  FORBIDDEN: { values: Record<string, string[]>; tool: string; error: string }[];
};
const committed = JSON.parse(readFileSync(join(root, 'scripts/matrix/combinations.json'), 'utf8')) as Combination[];

describe('the matrix of `npm run check:packages`', () => {
  it('N1 · runs the combinations that `node scripts/matrix/generate.mjs` writes', () => {
    expect(committed).toEqual(combinations());
  });

  it('N1 · has each two values of different factors together, unless they are forbidden', () => {
    expect(uncovered(committed)).toEqual([]);
  });

  it('N3 · bundles apps whole, without the optional peers', () => {
    const bundled = committed.filter(({ builder }) => builder === 'webpack, externals: []');
    expect(new Set(bundled.map(({ resolution }) => resolution)).size).toBe(4);
  });

  it('N2 · states for each forbidden combination which tool refuses it, and with which error', () => {
    for (const { values, tool, error } of FORBIDDEN) {
      expect(Object.keys(values).length).toBeGreaterThan(1);
      expect(tool).not.toBe('');
      expect(error).not.toBe('');
    }
  });

  it('N1 · is listed in docs/compatibility.md', () => {
    const rows = readFileSync(join(root, 'docs/compatibility.md'), 'utf8').matchAll(
      /^\| (\d+) +\|(.+)\| passed +\|$/gm,
    );
    const cells = [...rows].map(([, , row = '']) => row.split('|').map((cell) => cell.trim().replaceAll('`', '')));
    const names = ['nest', 'manager', 'runner', 'builder', 'typescript', 'resolution', 'platform', 'node', 'layout'];
    expect(cells).toEqual(committed.map((row) => names.map((name) => row[name] ?? '')));
  });
});
