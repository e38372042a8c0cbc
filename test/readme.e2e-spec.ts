import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { type XPayEmulator, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { type SpawnedProgram, ensureBuilt, spawnNode } from './support/built-app.js';
import { freePort } from './support/free-port.js';
import { basic } from './support/start-app.js';

const root = resolve(import.meta.dirname, '..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');

/** Returns the text under a heading of the second level. */
function section(heading: string, document = readme): string {
  const [, text] = document.split(`\n## ${heading}\n`);
  if (text === undefined) throw new Error(`There is no heading "${heading}"`);
  return text.split(/^## /m)[0] ?? '';
}

/** Returns the blocks of code that begin with a comment with a file name. */
function filesIn(markdown: string): Map<string, string> {
  const blocks = markdown.matchAll(/^```ts\n\/\/ ([\w.-]+\.ts)\n(.*?)^```$/gms);
  return new Map([...blocks].map(([, name = '', code = '']) => [name, code]));
}

/** Returns the code spans in the first cell of each table row. */
function firstCells(markdown: string): string[] {
  return [...markdown.matchAll(/^\| (`.+?) +\|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code),
  );
}

describe("the README's whole program", () => {
  const USER = { username: 'user@example.test', secretKey: 'key-of-user-1', scopes: ['tme_user'] };
  const ADMIN = { username: 'admin@example.test', secretKey: 'key-of-admin-1', scopes: ['tme_admin'] };
  const APP = { username: 'this-app@example.test', secretKey: 'key-of-app-1' };
  const files = filesIn(section('The whole program'));
  let folder: string;
  let xpay: XPayEmulator;
  let program: SpawnedProgram;
  let url: string;

  beforeAll(async () => {
    await ensureBuilt();
    await mkdir(join(root, '.check'), { recursive: true });
    folder = await mkdtemp(join(root, '.check/readme-'));
    const port = await freePort();
    for (const [name, code] of files) await writeFile(join(folder, name), code.replace('3000', String(port)));
    await writeFile(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
    const compilerOptions = { outDir: 'dist', rootDir: '.', sourceMap: false, declaration: false };
    const tsconfig = { extends: join(root, 'tsconfig.base.json'), compilerOptions, include: ['*.ts'] };
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(tsconfig));
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    // tsc writes its errors to standard output.
    await promisify(execFile)(process.execPath, [tsc, '-p', folder]).catch(({ stdout }: { stdout: string }) => {
      throw new Error(`The README's program does not compile:\n${stdout}`);
    });

    xpay = await startXPayEmulator({ accounts: [USER, ADMIN, APP] });
    program = await spawnNode(join(folder, 'dist/main.js'), {
      XPAY_BASE_URL: xpay.url,
      XPAY_USERNAME: APP.username,
      XPAY_SECRET_KEY: APP.secretKey,
    });
    url = `http://127.0.0.1:${port}`;
    await program.printed(/Nest application successfully started/);
    for (let tries = 0; tries < 100 && !(await answers()); tries++) await sleep(50);
  }, 240_000);
  afterAll(async () => {
    await program?.[Symbol.asyncDispose]();
    await xpay?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const answers = (): Promise<boolean> =>
    fetch(url).then(
      () => true,
      () => false,
    );
  const get = (path: string, caller?: typeof USER): Promise<Response> =>
    fetch(url + path, caller && { headers: basic(caller.username, caller.secretKey) });

  it('has a module, a controller and a main file, in less than 60 lines', () => {
    expect([...files.keys()]).toEqual(['app.module.ts', 'reports.controller.ts', 'main.ts']);
    expect(files.get('main.ts')).toContain('listen(3000');
    expect([...files.values()].join('').split('\n').length).toBeLessThan(60);
  });

  it('logs the configured upstream and whether there is an app account', () => {
    expect(program.output()).toContain(`[XPayAuth] Upstream: xpay at ${xpay.url}, with an app account`);
    expect(program.output()).not.toContain(APP.secretKey);
  });

  it('accepts a caller who holds the scope: 200', async () => {
    const answer = await get('/me', USER);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual({ username: USER.username, scopes: ['tme_user'] });
  });

  it('rejects an anonymous caller and a wrong key: 401, with a challenge', async () => {
    const anonymous = await get('/me');
    expect([anonymous.status, anonymous.headers.get('www-authenticate')]).toEqual([
      401,
      expect.stringMatching(/^Basic /),
    ]);
    expect((await get('/me', { ...USER, secretKey: 'wrong' })).status).toBe(401);
  });

  it('rejects a caller without the scope: 403', async () => {
    expect((await get('/wallets', USER)).status).toBe(403);
    expect((await get('/me', ADMIN)).status).toBe(403);
  });

  it('calls the API with the app token: 200', async () => {
    const answer = await get('/wallets', ADMIN);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toHaveLength(3);
    expect(xpay.ledger.at(-1)).toMatchObject({ path: '/client/wallets/find', account: APP.username, outcome: 'ok' });
  });
});

describe('README.md', () => {
  it('has at most 150 lines and 1,200 words', () => {
    expect(readme.trimEnd().split('\n').length).toBeLessThanOrEqual(150);
    expect(readme.trim().split(/\s+/).length).toBeLessThanOrEqual(1_200);
  });

  it('shows code by line 10', () => {
    expect(readme.split('\n').slice(0, 10)).toContainEqual(expect.stringMatching(/^```/));
  });
});

describe('the table of routes in src/README.md', () => {
  it('lists the routes of the reference app', () => {
    expect(firstCells(section('Routes', readFileSync(join(root, 'src/README.md'), 'utf8')))).toEqual(
      expect.arrayContaining(['GET /me', 'GET /user/report', 'GET /admin/report', 'POST /wallets/find', 'GET /health']),
    );
  });
});
