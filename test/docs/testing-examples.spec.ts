import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** The blocks of code that begin with a comment naming their file. */
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

  // They run with all other tests, from examples/testing.
  it.each(examples)('shows %s as it is run', (name, code) => {
    expect(code).toBe(read(`examples/testing/${name}`));
  });

  it("tests the README's own program", () => {
    const program = new Map(filesIn(read('README.md')));
    for (const name of ['app.module.ts', 'reports.controller.ts']) {
      expect(program.get(name)).toBe(`// ${name}\n${read(`examples/testing/${name}`)}`);
    }
  });
});
