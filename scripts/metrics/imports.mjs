// Reads the imports between the folders of the library with TypeScript's own parser.
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import ts from 'typescript';

export const library = resolve(import.meta.dirname, '../../libs/xpay-auth/src');

/** Returns every source file of the library that is not a test, relative to its `src`. */
export function sourceFiles() {
  return readdirSync(library, { recursive: true, encoding: 'utf8' })
    .map((file) => file.replaceAll(sep, '/'))
    .filter((file) => file.endsWith('.ts') && !file.endsWith('spec.ts'))
    .toSorted((a, b) => a.localeCompare(b, 'en'));
}

/** Returns the folder of a file, at most two levels below `src`; `.` for the entry points, which are in no folder. */
export function folderOf(file) {
  return file.split('/').slice(0, -1).slice(0, 2).join('/') || '.';
}

/** Returns the files of the library that a file imports, type imports included, relative to `src`. */
export function importsOf(file) {
  const { importedFiles } = ts.preProcessFile(readFileSync(join(library, file), 'utf8'));
  return importedFiles
    .filter(({ fileName }) => fileName.startsWith('.'))
    .map(({ fileName }) =>
      relative(library, resolve(library, dirname(file), fileName))
        .replaceAll(sep, '/')
        .replace(/\.js$/, '.ts'),
    );
}

/** Returns the pairs of folders that import each other, as `a <-> b`, each with the imports of the rarer direction. */
export function mutualImports() {
  const edges = new Map();
  for (const file of sourceFiles()) {
    for (const target of importsOf(file)) {
      const key = `${folderOf(file)} ${folderOf(target)}`;
      if (folderOf(file) !== folderOf(target)) edges.set(key, [...(edges.get(key) ?? []), `${file} -> ${target}`]);
    }
  }
  return [...edges].flatMap(([key, forward]) => {
    const [from, to] = key.split(' ');
    const backward = edges.get(`${to} ${from}`);
    if (backward === undefined || from > to) return [];
    return [{ pair: `${from} <-> ${to}`, imports: forward.length <= backward.length ? forward : backward }];
  });
}
