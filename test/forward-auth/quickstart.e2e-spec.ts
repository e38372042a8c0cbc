import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type SpawnedProgram, ensureBuilt, spawnBuiltApp } from '../support/built-app.js';
import { startNginx } from '../support/nginx.js';
import type { RunningProxy } from '../support/proxy-program.js';
import { type Answered, request } from '../support/request.js';
import { basic } from '../support/start-app.js';

const root = resolve(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/forward-auth.md'), 'utf8');
const tries = [...page.matchAll(/^(curl -i .+?)\s+# (\d{3})(?:,|$)/gm)].map(([, command = '', status]) => ({
  command,
  status: Number(status),
}));

/** The request that curl would send for this command line. curl need not be installed. */
function curl(command: string, at: string, accounts: Readonly<Record<string, string>>): Promise<Answered> {
  const words = [...command.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(([, a, b, c]) => a ?? b ?? c ?? '');
  const after = (option: string): string[] =>
    words.flatMap((word, i) =>
      words[i - 1] === option ? [word.replace(/^\$(\w+)$/, (_, name) => accounts[name] ?? '')] : [],
    );
  const [username, ...secretKey] = after('-u')[0]?.split(':') ?? [];
  const headers = after('-H').map((line) => line.split(/: (.*)/s).slice(0, 2) as [string, string]);
  if (username !== undefined) headers.push(['Authorization', basic(username, secretKey.join(':')).authorization]);
  const [method = 'GET'] = after('-X');
  return request({ url: (words.at(-1) ?? '').replace('http://127.0.0.1:8080', at), method, headers });
}

describe('the first steps of docs/forward-auth.md', () => {
  let app: SpawnedProgram;
  let nginx: RunningProxy;
  const accounts: Record<string, string> = {};
  beforeAll(async () => {
    await ensureBuilt();
    app = await spawnBuiltApp({ TRUST_PROXY: 'loopback' });
    const [, appUrl = ''] = await app.printed(/Listening on (http:\S+)/);
    for (const name of ['user', 'admin']) {
      [, accounts[name] = ''] = await app.printed(new RegExp(`^(${name}@example\\.test:\\S+) {2}`, 'm'));
    }
    nginx = await startNginx({ appUrl });
  }, 180_000);
  afterAll(async () => {
    await nginx?.[Symbol.asyncDispose]();
    await app?.[Symbol.asyncDispose]();
  });

  it('start nginx as the tests do', () => {
    expect(page).toContain(
      'dir=$(mktemp -d) && cp -r examples/forward-auth/. "$dir"\n' +
        `PATH="$PATH:/usr/sbin" nginx -e stderr -p "$dir" -c nginx/nginx.conf -g 'daemon off; master_process off;'\n`,
    );
  });

  it('show every kind of response', () => {
    expect(new Set(tries.map(({ status }) => status))).toEqual(new Set([200, 204, 401, 403]));
  });

  it.each(tries)('$command is $status', async ({ command, status }) => {
    const answer = await curl(command, nginx.url, accounts);
    expect([answer.status, answer.body.includes('root')]).toEqual([status, false]);
    if (command.includes('/app/') && status === 200) {
      expect(answer.body).toBe('X-Auth-User: user%40example.test\nX-Auth-Scopes: tme_user\nAuthorization: \n');
    }
  });

  it('end with 502 for every caller when the app is stopped', async () => {
    app.kill('SIGTERM');
    await app.ended();
    expect((await curl('curl -i -u "$user" http://127.0.0.1:8080/', nginx.url, accounts)).status).toBe(502);
  });
});

it('docs/forward-auth.md names only existing files', () => {
  const links = [...page.matchAll(/\]\((\.\.\/[^)#]+)\)/g)].map(([, path = '']) => path);
  expect(links.length).toBeGreaterThan(3);
  expect(links.filter((path) => !existsSync(join(root, 'docs', path)))).toEqual([]);
});
