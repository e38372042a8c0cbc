import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type XPayEmulator, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { readFileSync, readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { runCommand } from '../support/command-line.js';

const ADA = {
  username: 'ada@example.test',
  secretKey: 'adas secret: "key" + more',
  scopes: ['tme_user', 'reports:read'],
};

let upstream: XPayEmulator;

beforeEach(async () => {
  upstream = await startXPayEmulator({ accounts: [ADA], tokenLifeMs: 3_600_000 });
});

afterEach(() => upstream.stop());

const whoami = (args: readonly string[], stdin: string) =>
  runCommand(['whoami', ...args], { env: { XPAY_BASE_URL: upstream.url }, stdin, secrets: [ADA.secretKey] });

describe('whoami', () => {
  it('reads the secret key from standard input, and prints user, scopes, dialect and lifetime', async () => {
    const { code, json } = await whoami([ADA.username, '--json'], `${ADA.secretKey}\n`);
    expect(code).toBe(0);
    expect(json.caller).toEqual({
      username: ADA.username,
      scopes: ADA.scopes,
      isAPI: true,
      dialect: 'xpay',
      baseUrl: upstream.url,
      lifetimeMs: expect.any(Number),
    });
    expect(json.caller?.['lifetimeMs']).toBeGreaterThan(3_500_000);
    expect(upstream.requests()).toBe(1);
  });

  it('reads the username from the first line of standard input, byte for byte', async () => {
    const { code, stdout } = await whoami([], `${ADA.username}\r\n${ADA.secretKey}\r\n`);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^username +ada@example\.test$/m);
    expect(stdout).toMatch(/^scopes +tme_user reports:read$/m);
    const spaced = await whoami([ADA.username, '--json'], ` ${ADA.secretKey}`);
    expect(spaced.of('caller')).toEqual([expect.objectContaining({ status: 'failure' })]);
  });

  it('exits with 1 for a wrong option, and does not call the upstream', async () => {
    const env = { XPAY_BASE_URL: 'not a URL' };
    const { code, json } = await runCommand(['whoami', ADA.username, '--json'], { env, stdin: `${ADA.secretKey}\n` });
    expect(code).toBe(1);
    const failed = json.findings.filter(({ status }) => status === 'failure').map(({ check }) => check);
    expect(failed).toEqual(['options']);
    expect(upstream.requests()).toBe(0);
  });

  it('exits with 1 for rejected credentials, and prints what to do', async () => {
    const { code, of } = await whoami([ADA.username, '--json'], 'a wrong secret key\n');
    expect(code).toBe(1);
    expect(of('caller')).toEqual([
      {
        check: 'caller',
        status: 'failure',
        message: 'invalid_credentials: The upstream refused the credentials',
        fix: expect.stringContaining('Check the username and the secret key'),
      },
    ]);
  });

  it('does not call the upstream for credentials that the library rejects', async () => {
    const { code, of } = await whoami([ADA.username, '--json'], `${'x'.repeat(5_000)}\n`);
    expect(code).toBe(1);
    expect(of('caller')).toEqual([expect.objectContaining({ message: expect.stringContaining('too long') })]);
    expect(upstream.requests()).toBe(0);
  });

  it('reports an upstream that fails, and prints no token', async () => {
    upstream.faults.always({ kind: 'status', status: 503, body: ADA.secretKey });
    const { code, of } = await whoami([ADA.username, '--json'], ADA.secretKey);
    expect(code).toBe(1);
    expect(of('caller')).toEqual([
      expect.objectContaining({ message: expect.stringContaining('upstream_unavailable') }),
    ]);
    upstream.faults.clear();
    let token = '';
    upstream.faults.always({
      kind: 'transform',
      transform: (body) => {
        token = (body as { success: { data: { access_token: string } } }).success.data.access_token;
        return body;
      },
    });
    const { stdout, stderr } = await whoami([ADA.username], ADA.secretKey);
    expect(token.length).toBeGreaterThan(20);
    expect(stdout + stderr).not.toContain(token);
  });

  it.each([
    [[ADA.username], ''],
    [[ADA.username], '\n'],
    [[], `${ADA.username}\n`],
    [[], 'x'.repeat(20_000)],
  ])('exits with 2 if standard input lacks the credentials', async (args, stdin) => {
    const { code, stderr, stdout } = await whoami(args, stdin);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/^whoami: standard input /);
    expect(upstream.requests()).toBe(0);
  });

  it.each([
    [['ada', 'secret-argument']],
    [['ada:secret-argument']],
    [['ada', '--secret-key', 'secret-argument']],
    [['ada', '--secret-key=secret-argument']],
    [['ada', '-psecret-argument']],
    [['ada', '--', '--secret-argument']],
    [['ada', '--json=secret-argument']],
  ])('rejects a secret in %j without printing it', async (args) => {
    const { code, stdout, stderr } = await runCommand(['whoami', ...args], { secrets: ['secret-argument'] });
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/\n.*--help/);
  });

  it('rejects options of doctor', async () => {
    expect((await whoami(['ada', '--login'], '')).code).toBe(2);
    expect((await runCommand(['whoami', 'ada', '--trust-proxy', 'loopback'])).code).toBe(2);
  });

  it('reports invalid options before it reads the secret key', async () => {
    const { code, of } = await runCommand(['whoami', 'ada', '--json'], { env: { XPAY_BASE_URL: 'telegraph' } });
    expect(code).toBe(1);
    expect(of('options')).toEqual([
      expect.objectContaining({ status: 'failure', message: expect.stringContaining('baseUrl') }),
    ]);
  });
});

function flagsIn(text: string): string[] {
  return text.match(/--[a-z-]{3,}/g) ?? [];
}

describe('the command line', () => {
  const root = resolve(import.meta.dirname, '../..');
  const manifest = readFileSync(resolve(root, 'libs/xpay-auth/package.json'), 'utf8');

  it('prints the help and the version', async () => {
    for (const flag of ['--help', '-h']) {
      expect(await runCommand([flag])).toMatchObject({
        code: 0,
        stdout: expect.stringContaining('--trust-proxy <value>'),
      });
    }
    const { version } = JSON.parse(manifest) as { version: string };
    expect(await runCommand(['--version'])).toMatchObject({ code: 0, stdout: `${version}\n`, stderr: '' });
  });

  it('is described completely in docs/doctor.md', async () => {
    const document = readFileSync(resolve(root, 'docs/doctor.md'), 'utf8');
    const firstCells = [...document.matchAll(/^\| (`[^|]+?) +\|/gm)].map(([, cell = '']) => cell);
    const { stdout } = await runCommand(['--help']);
    expect(new Set(firstCells.flatMap(flagsIn))).toEqual(new Set(flagsIn(stdout)));
    const folder = resolve(root, 'libs/xpay-auth/src/cli');
    const sources = readdirSync(folder).map((file) => readFileSync(resolve(folder, file), 'utf8'));
    const checks = sources.join('').matchAll(/(?:report\.(?:ok|warning|failure)\(|add\w+\(report,)\s*'([a-z ]+)'/g);
    const documented = firstCells.filter((cell) => !cell.includes('--')).map((cell) => cell.replaceAll('`', ''));
    // `caller` is the finding of `whoami`.
    expect(new Set([...documented, 'caller'])).toEqual(new Set([...checks].map(([, check]) => check)));
  });

  it.each([[[]], [['telegraph']], [['doctor', 'now']], [['doctor', '--env-file-path']], [['doctor', '--frobnicate']]])(
    'exits with 2 for %j, and writes only to standard error',
    async (args) => {
      const { code, stdout, stderr } = await runCommand(args);
      expect([code, stdout]).toEqual([2, '']);
      expect(stderr).toContain('npx nestjs-xpay-auth --help');
    },
  );

  it('has colours only on a terminal without NO_COLOR', async () => {
    const env = { XPAY_BASE_URL: upstream.url };
    const hasColours = async (isTTY: boolean, more: Readonly<Record<string, string>> = {}, ...flags: string[]) =>
      (await runCommand(['doctor', ...flags], { env: { ...env, ...more }, isTTY })).stdout.includes('\u001b[');
    expect(await hasColours(true)).toBe(true);
    expect(await hasColours(false)).toBe(false);
    expect(await hasColours(true, { NO_COLOR: '1' })).toBe(false);
    expect(await hasColours(true, { TERM: 'dumb' })).toBe(false);
    expect(await hasColours(true, {}, '--json')).toBe(false);
  });
});
