import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** Returns the blocks of code that begin with a comment with a file name. */
function filesIn(markdown: string): [string, string][] {
  const blocks = markdown.matchAll(/^```ts\n(\/\/ ([\w.-]+\.ts)\n.*?)^```$/gms);
  return [...blocks].map(([, code = '', name = '']) => [name, code]);
}

describe('docs/testing.md', () => {
  const examples = filesIn(read('docs/testing.md'));

  it('has three examples', () => {
    expect(examples.map(([name]) => name)).toEqual([
      'reports.e2e-spec.ts',
      'reports.controller.spec.ts',
      'outage.spec.ts',
    ]);
  });

  // The specs in examples/testing run with all other tests.
  it.each(examples)('contains the %s of examples/testing', (name, code) => {
    expect(code).toBe(read(`examples/testing/${name}`));
  });

  it('tests the program of the README', () => {
    const program = new Map(filesIn(read('README.md')));
    for (const name of ['app.module.ts', 'reports.controller.ts']) {
      expect(program.get(name)).toBe(`// ${name}\n${read(`examples/testing/${name}`)}`);
    }
  });
});
