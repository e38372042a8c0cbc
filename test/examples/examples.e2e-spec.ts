import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { type XPayEmulator, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { type SpawnedProgram, ensureBuilt, spawnNode } from '../support/built-app.js';
import { newKey } from '../support/encryption-keys.js';
import { freePort } from '../support/free-port.js';
import { RedisServer } from '../support/redis-server.js';
import { basic, bearer } from '../support/start-app.js';
import { until } from '../support/until.js';

const root = resolve(import.meta.dirname, '../..');
const examples = join(root, 'examples');
const compiled = (name: string): string => join(examples, 'dist', `${name}.js`);
const listed = [...readFileSync(join(examples, 'README.md'), 'utf8').matchAll(/`npm run example -- ([\w-]+)`/g)].map(
  ([, name = '']) => name,
);
const BOOT_MS = 60_000;

let redis: RedisServer;
beforeAll(async () => {
  redis = await RedisServer.start();
  await ensureBuilt();
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  await promisify(execFile)(process.execPath, [tsc, '-p', examples]);
}, 240_000);
afterAll(() => redis[Symbol.asyncDispose]());

describe('the commands of examples/README.md', () => {
  it('cover each example once', () => {
    const files = readdirSync(examples).filter((name) => name.endsWith('.ts') && name !== 'app.ts');
    expect(listed.map((name) => `${name}.ts`).toSorted()).toEqual(files.toSorted());
  });

  it.each(listed)(
    '%s runs and prints the documented responses',
    async (name) => {
      const PORT = String(await freePair());
      const program = await spawnNode(join(root, 'scripts/example.mjs'), { PORT, REDIS_URL: redis.url }, [name]);
      try {
        const [lines] = await program.printed(/(?:^\d{3} {2}curl .*\n)+/m);
        const tries = [...lines.matchAll(/^(\d{3}) {2}curl -i -u (\S+?):(\S+) (\S+)$/gm)];
        expect(tries.length).toBeGreaterThan(3);
        for (const [line, status, username = '', secretKey = '', url = ''] of tries) {
          const answer = await fetch(url, { headers: basic(username, secretKey) });
          expect([line, answer.status]).toEqual([line, Number(status)]);
        }
      } finally {
        program.kill('SIGINT');
        await program.ended();
        await program[Symbol.asyncDispose]();
      }
    },
    BOOT_MS,
  );
});

describe('an example on its own', () => {
  const app = { username: 'this-app@example.test', secretKey: 'key-of-app-1' };
  const admin = { username: 'admin@example.test', secretKey: 'key-of-admin-1', scopes: ['tme_admin'] };
  const asAdmin = { headers: basic(admin.username, admin.secretKey) };
  const running: SpawnedProgram[] = [];
  let folder: string;
  let xpay: XPayEmulator;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'examples-'));
    xpay = await startXPayEmulator({ accounts: [app, admin] });
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((program) => program[Symbol.asyncDispose]()));
    await xpay.stop();
    rmSync(folder, { recursive: true });
  });

  /** Starts an example. Returns its address. */
  async function start(name: string, environment: Readonly<Record<string, string>>): Promise<string> {
    const PORT = String(await freePort());
    running.push(await spawnNode(compiled(name), { XPAY_BASE_URL: xpay.url, ...environment, PORT }));
    const url = `http://127.0.0.1:${PORT}`;
    const answers = () =>
      fetch(url).then(
        () => true,
        () => false,
      );
    await until(answers, `${name} listens`, BOOT_MS / 2);
    return url;
  }
  const loginsOfApp = (): number =>
    xpay.ledger.filter(({ path, account }) => path === '/client/authenticate' && account === app.username).length;

  it(
    'O14 · vault: a key that was changed at xPay and in the vault needs no restart',
    async () => {
      const VAULT_FILE = join(folder, 'vault.json');
      writeFileSync(VAULT_FILE, JSON.stringify({ xpay: app }));
      const url = await start('vault', { VAULT_FILE });
      expect((await fetch(`${url}/wallets`, asAdmin)).status).toBe(200);
      xpay.setSecret(app.username, 'key-of-app-2');
      xpay.revokeTokens(app.username);
      writeFileSync(VAULT_FILE, JSON.stringify({ xpay: { ...app, secretKey: 'key-of-app-2' } }));
      expect((await fetch(`${url}/wallets`, asAdmin)).status).toBe(200);
      expect(loginsOfApp()).toBe(2);
    },
    BOOT_MS,
  );

  it(
    'C1 · redis: one process obtains the token for both, and a login on one is valid on the other',
    async () => {
      const environment = {
        XPAY_USERNAME: app.username,
        XPAY_SECRET_KEY: app.secretKey,
        REDIS_URL: redis.url,
        ENCRYPTION_KEYS: `k1:${newKey()}`,
      };
      const [one, other] = await Promise.all([start('redis', environment), start('redis', environment)]);
      for (const url of [one, other]) expect((await fetch(`${url}/wallets`, asAdmin)).status).toBe(200);
      expect(loginsOfApp()).toBe(1);
      const headers = { 'content-type': 'application/json' };
      const { username, secretKey } = admin;
      const login = await fetch(`${one}/login`, {
        method: 'POST',
        headers,
        body: JSON.stringify({ username, secretKey }),
      });
      const { accessToken } = (await login.json()) as { accessToken: string };
      expect((await fetch(`${other}/me`, { headers: bearer(accessToken) })).status).toBe(200);
    },
    BOOT_MS,
  );
});

/** Returns a free port whose next port is free as well. */
async function freePair(): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const port = await freePort();
    if (await isFree(port + 1)) return port;
  }
  throw new Error('no two adjacent free ports');
}

async function isFree(port: number): Promise<boolean> {
  const probe = createServer();
  const isOurs = await new Promise<boolean>((done) => {
    probe.once('error', () => done(false)).listen(port, '127.0.0.1', () => done(true));
  });
  await new Promise((done) => probe.close(done));
  return isOurs;
}
