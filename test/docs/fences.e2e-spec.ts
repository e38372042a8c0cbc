import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { complaintsOf } from './fence-program.js';
import { type Fence, documents, fromRoot, root } from './markdown.js';

const CODE = ['ts', 'js'];
const SHELL = ['sh', 'bash'];

/** Languages that are not checked, with the reason. */
const UNCHECKED: Readonly<Record<string, string>> = {
  '': 'plain text: a tree of folders, a response, a line of a log',
  yaml: 'the probes of a Kubernetes manifest; test/observability requests the same paths',
};

const fences = documents().flatMap((document) => document.fences);
const of = (...languages: string[]): Fence[] => fences.filter(({ language }) => languages.includes(language));
const isExcerpt = ({ note }: Fence): boolean => note?.[0] === 'excerpt';
const at = ({ document, line }: Fence, what: string): string => `${document}:${line}: ${what}`;

describe('every block of code in the documents', () => {
  it('is in a language that is checked, or listed with a reason', () => {
    const known = new Set([...CODE, ...SHELL, 'json', ...Object.keys(UNCHECKED)]);
    const strange = fences.filter(({ language }) => !known.has(language));
    expect(strange.map((fence) => at(fence, fence.language))).toEqual([]);
    expect(of(...CODE).length).toBeGreaterThan(10);
    expect(of(...SHELL).length).toBeGreaterThan(3);
  });

  it('compiles against the published names', () => {
    const whole = of(...CODE).filter((fence) => !isExcerpt(fence));
    expect([...complaintsOf(whole).values()].flat()).toEqual([]);
  });

  it('is an excerpt of the named file if it contains an ellipsis', () => {
    const wrong = fences.filter(isExcerpt).flatMap((fence) => {
      const file = fromRoot(fence.document, fence.note?.[1] ?? '');
      return isWithin(fence.code, readFileSync(join(root, file), 'utf8')) ? [] : [at(fence, `not as in ${file}`)];
    });
    expect(wrong).toEqual([]);
  });

  it('is valid JSON in a json block', () => {
    for (const { code } of of('json')) expect(() => JSON.parse(code) as unknown).not.toThrow();
  });
});

/** Returns whether the file contains the parts between the ellipses, in the same order. */
function isWithin(excerpt: string, file: string): boolean {
  let rest = essence(file);
  return excerpt.split('…').every((part) => {
    const found = rest.indexOf(essence(part));
    rest = rest.slice(found + essence(part).length);
    return found >= 0;
  });
}

/** Returns code without comments and white space. */
function essence(code: string): string {
  return code
    .replace(/\/\*.*?\*\//gs, '')
    .replace(/(?<!:)\/\/.*$/gm, '')
    .replace(/\s+/g, ' ')
    .replace(/ ?([^\w$ ]) ?/g, '$1')
    .trim();
}
