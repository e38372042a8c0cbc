import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './markdown.js';

/** Kind of text, file ending, the text, and the line of its finding. */
const HIDDEN_SUBJECTS = [
  ['a comment', '.ts', 'const one = 1;\n\n/**\n * Returns it. Who calls\n * it waits.\n */\n', 4],
  ['a title with a row code', '.spec.ts', "it('O7 · who aborts leaves alone', run);\n", 1],
  ['a template', '.mjs', 'log(`nothing is printed for ${name}`);\n', 1],
  ['a paragraph', '.md', '# A title\n\nThe cache is small. Whatever is old\nis removed.\n', 3],
  ['a table cell', '.md', '| name | meaning |\n| --- | --- |\n| cache | what is kept in it |\n', 3],
  ['a description in JSON', '.json', '{\n  "description": "What is called twice."\n}\n', 2],
  ['a comment in YAML', '.yml', 'on: push\n# What runs on a push.\n', 2],
] as const;

const ACCEPTED = [
  ['a question', '.md', 'Who calls the upstream? The guard does.\n'],
  ['code', '.md', 'Call `anew` once.\n\n```ts\n// What is this trouble\n```\n'],
  ['a quotation', '.ts', '// The upstream returns "nobody is here" as text.\n'],
  ['an address', '.md', 'See [the page](https://example.test/house/door) for that.\n'],
  ['a word with a standard sense', '.ts', '// Skips the byte order mark, and keeps the rest of the text.\n'],
  ['an identifier', '.ts', 'const trouble = nobody.hears(welcome);\n'],
  ['a comment sign within a string', '.ts', "const path = '/* who is here */'; // keeps the path\n"],
] as const;

/** Checks these files. Returns the exit code and the lines of the output. */
function check(...files: string[]): { status: number | null; lines: string[] } {
  const command = [join(root, 'scripts/prose-check.mjs'), ...files];
  const { status, stdout } = spawnSync(process.execPath, command, { encoding: 'utf8' });
  return { status, lines: stdout.trim().split('\n') };
}

describe('npm run prose', () => {
  let folder: string;
  const write = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  let hidden: readonly string[];
  let accepted: ReturnType<typeof check>;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'prose-'));
    hidden = check(...HIDDEN_SUBJECTS.map(([, ending, text], at) => write(`hidden-${at}${ending}`, text))).lines;
    accepted = check(...ACCEPTED.map(([, ending, text], at) => write(`accepted-${at}${ending}`, text)));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each(HIDDEN_SUBJECTS.map(([what, ending, , line], at) => ({ what, at: `hidden-${at}${ending}:${line}:` })))(
    'finds a sentence that hides its subject in $what',
    ({ at }) => {
      expect(hidden.filter((line) => line.includes(at))).toEqual([expect.stringContaining('begin with the subject')]);
    },
  );

  it('finds an odd word, names the usual one, and fails above the bound', () => {
    const { status, lines } = check(write('odd.ts', '// The call is tried anew.\n'));
    expect(lines).toEqual([
      expect.stringMatching(/odd\.ts:1: "anew", write again: The call is tried anew\.$/),
      expect.stringContaining('1 odd words (100.00 per 100)'),
    ]);
    expect(status).toBe(1);
  });

  it.each(ACCEPTED.map(([what, ending], at) => ({ what, at: `accepted-${at}${ending}` })))(
    'accepts $what',
    ({ at }) => {
      expect(accepted.lines.filter((line) => line.includes(at))).toEqual([]);
    },
  );

  it('succeeds below the bound', () => {
    expect(accepted.status).toBe(0);
  });
});
