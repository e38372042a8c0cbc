import { beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { ensureBuilt, spawnNode } from '../support/built-app.js';
import { basic } from '../support/start-app.js';

const root = resolve(import.meta.dirname, '../..');
const folder = (example: string): string => join(root, 'examples', example);

const price = (of: number): string => `price {"price":${of},"by":"both@example.test"}`;

describe('the examples of docs/contexts.md', () => {
  beforeAll(async () => {
    await ensureBuilt();
    for (const example of ['graphql', 'websocket']) {
      const tsc = join(root, 'node_modules/typescript/bin/tsc');
      await promisify(execFile)(process.execPath, [tsc, '-p', folder(example)]);
    }
  }, 240_000);

  it('graphql responds to each of its lines as documented', async () => {
    await using program = await spawnNode(join(folder('graphql'), 'dist/main.js'), {});
    const [printed] = await program.printed(/(?:^.* curl -s .*\n){6}/m);
    const line = /^(.*?) +curl -s(?: -u (\S+):(\S+))? -H \S+ \S+ -d '(.+)' (\S+)$/gm;
    const tries = [...printed.matchAll(line)];
    expect(tries).toHaveLength(6);
    const answers = tries.map(async ([, said = '', username, secretKey = '', body = '', url = '']) => {
      const headers = { 'content-type': 'application/json', ...(username && basic(username, secretKey)) };
      const answer = await fetch(url, { method: 'POST', headers, body });
      const { data, errors } = (await answer.json()) as Answer;
      const notes = data?.wallets?.map(({ note }) => note);
      return { said, data: data === null ? null : Object.keys(data), code: errors?.[0]?.extensions.code, notes };
    });
    expect(await Promise.all(answers)).toEqual([
      { said: 'a name', data: ['me'] },
      { said: 'UNAUTHENTICATED', data: null, code: 'UNAUTHENTICATED' },
      { said: 'wallets', data: ['wallets'], notes: [undefined, undefined, undefined] },
      { said: 'FORBIDDEN', data: null, code: 'FORBIDDEN' },
      { said: 'wallets, no notes', data: ['wallets'], code: 'FORBIDDEN', notes: [null, null, null] },
      { said: 'wallets and notes', data: ['wallets'], notes: Array(3).fill(expect.stringMatching(/seen by both/)) },
    ]);
  });

  it('websocket: rejects and disconnects anonymous callers, applies rules per message, and a logout ends a socket', async () => {
    await using program = await spawnNode(join(folder('websocket'), 'dist/main.js'), {});
    expect(await program.ended()).toEqual({ code: 0, signal: null });
    const heard = (name: string): string[] =>
      [...program.output().matchAll(new RegExp(`^${name}: (\\w+) ?(.*)$`, 'gm'))].map(([, event, data = '']) => {
        return event === 'exception'
          ? (JSON.parse(data) as { errorCode: string }).errorCode
          : `${event} ${data}`.trim();
      });
    expect(heard('stranger')).toEqual(['connected', 'invalid_token', 'disconnected']);
    expect(heard('reader')).toEqual([
      'connected',
      'welcome "user@example.test"',
      'insufficient_scope',
      price(42),
      'invalid_token',
      'disconnected',
    ]);
    expect(heard('owner')).toEqual(['connected', 'welcome "both@example.test"', price(42), price(43), 'disconnected']);
  });

  it.each(['graphql', 'websocket'])('%s imports the library only by its published names', (example) => {
    const imports = readdirSync(folder(example))
      .filter((file) => file.endsWith('.ts'))
      .flatMap((file) => [...readFileSync(join(folder(example), file), 'utf8').matchAll(/(?:from|import) '([^']+)'/g)])
      .map(([, target = '']) => target);
    expect(imports).toContain('nestjs-xpay-auth');
    expect(imports.filter((target) => /libs|src\//.test(target) || target.startsWith('../'))).toEqual([]);
  });
});

interface Answer {
  readonly data: { readonly wallets?: readonly { readonly note?: string | null }[] } | null;
  readonly errors?: readonly { readonly extensions: { readonly code: string } }[];
}
