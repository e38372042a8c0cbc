import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type XPayEmulator, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { ensureBuilt } from '../support/built-app.js';
import { CertificateAuthority, type KeyPair } from '../support/certificates.js';
import { type PrintedFinding, assertNoSecrets } from '../support/command-line.js';
import { newKey } from '../support/encryption-keys.js';
import { freePort } from '../support/free-port.js';

const root = resolve(import.meta.dirname, '../..');
const PROGRAM = join(root, 'libs/xpay-auth/dist/cli/main.js');
const ADA = { username: 'ada@example.test', secretKey: 'a-typed-secret-key' };

let upstream: XPayEmulator;
let authority: CertificateAuthority;
let folder: string;

beforeAll(async () => {
  await ensureBuilt();
  upstream = await startXPayEmulator({ accounts: [ADA] });
  authority = new CertificateAuthority();
  folder = mkdtempSync(join(tmpdir(), 'built-command-'));
}, 180_000);

afterAll(async () => {
  await upstream.stop();
  authority[Symbol.dispose]();
  rmSync(folder, { recursive: true, force: true });
});

interface Ending {
  readonly code: number;
  readonly output: string;
  readonly findings: readonly PrintedFinding[];
}

/** Runs a program until it ends. `type` is called with all output so far, and returns what to type. */
async function runProgram(
  [program = '', ...args]: readonly string[],
  env: Readonly<Record<string, string>>,
  { cwd = folder, type }: { cwd?: string; type?: (output: string) => string | undefined } = {},
): Promise<Ending> {
  const child = spawn(program, args, { cwd, env: { PATH: process.env['PATH'], TERM: 'xterm', ...env } });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      const typed = type?.(output);
      if (typed !== undefined) child.stdin.write(typed);
    });
  }
  if (type === undefined) child.stdin.end();
  const [code] = (await once(child, 'close')) as [number];
  const findings = output.startsWith('{') ? (JSON.parse(output) as { findings: PrintedFinding[] }).findings : [];
  return { code, output, findings };
}

const doctor = (env: Readonly<Record<string, string>>) =>
  runProgram([process.execPath, PROGRAM, 'doctor', '--json'], env);

/** Runs `doctor` against a server with this certificate, and returns the finding about TLS. */
async function tlsFinding(
  pair: KeyPair,
  env: Readonly<Record<string, string>> = { NODE_EXTRA_CA_CERTS: authority.file },
) {
  const server = createServer(pair, (_request, response) => response.writeHead(404).end()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const { port } = server.address() as AddressInfo;
    const { code, findings } = await doctor({ XPAY_BASE_URL: `https://localhost:${port}`, ...env });
    const [finding, ...others] = findings.filter(({ check }) => check === 'tls');
    expect(others).toEqual([]);
    expect(code).toBe(finding?.status === 'failure' ? 1 : 0);
    expect(findings.some(({ check }) => check === 'upstream')).toBe(finding?.status !== 'failure');
    return finding;
  } finally {
    server.close();
  }
}

describe('doctor: TLS', () => {
  it('shows host, issuer and days left of a trusted certificate', async () => {
    expect(await tlsFinding(authority.issue('localhost', 20))).toEqual({
      check: 'tls',
      status: 'ok',
      message: expect.stringMatching(
        /TLSv1\.3, trusted chain for localhost: CN=localhost, issued by CN=Test CA.*\((19|20) days left\)/,
      ),
    });
  });

  it('warns of a certificate that expires soon', async () => {
    expect(await tlsFinding(authority.issue('localhost', 3))).toMatchObject({
      status: 'warning',
      message: expect.stringMatching(/expires soon.*\((2|3) days left\)/),
    });
  });

  it('reports an expired certificate', async () => {
    expect(await tlsFinding(authority.issue('localhost', -1))).toMatchObject({
      status: 'failure',
      message: expect.stringContaining('has expired (CERT_HAS_EXPIRED)'),
      fix: expect.stringContaining('renew'),
    });
  });

  it('reports a certificate for another host, with the names of the certificate', async () => {
    expect(await tlsFinding(authority.issue('other.example.test', 20))).toMatchObject({
      status: 'failure',
      message: expect.stringContaining('is not for localhost'),
      fix: expect.stringContaining('DNS:other.example.test'),
    });
  });

  it('reports an issuer that this machine does not trust', async () => {
    expect(await tlsFinding(authority.issue('localhost', 20), {})).toMatchObject({
      status: 'failure',
      message: expect.stringContaining('does not trust the issuer'),
      fix: expect.stringContaining('NODE_EXTRA_CA_CERTS'),
    });
  });

  it('reports a server without TLS', async () => {
    const { code, findings } = await doctor({ XPAY_BASE_URL: upstream.url.replace('http:', 'https:') });
    expect(code).toBe(1);
    expect(findings.filter(({ check }) => check === 'tls')).toEqual([
      expect.objectContaining({ status: 'failure', message: expect.stringContaining('No TLS connection') }),
    ]);
  });
});

describe('doctor: the program', () => {
  it('reports a Redis that is down', async () => {
    const keys = newKey();
    const port = await freePort();
    const { code, output, findings } = await doctor({
      XPAY_BASE_URL: upstream.url,
      XPAY_REDIS_URL: `redis://app:redis-password@127.0.0.1:${port}`,
      XPAY_ENCRYPTION_KEYS: `k1:${keys}`,
    });
    assertNoSecrets(output, [keys, 'redis-password']);
    expect(code).toBe(1);
    expect(findings.filter(({ check }) => check === 'redis')).toEqual([
      expect.objectContaining({ status: 'failure', message: 'Redis cannot be used (ECONNREFUSED)' }),
    ]);
  });

  it('reports missing peers and second copies of peers, without loading any of them', async () => {
    const packages = join(folder, 'bare/node_modules');
    cpSync(join(root, 'libs/xpay-auth/dist'), join(packages, 'nestjs-xpay-auth/dist'), { recursive: true });
    cpSync(join(root, 'libs/xpay-auth/package.json'), join(packages, 'nestjs-xpay-auth/package.json'));
    cpSync(join(root, 'node_modules/semver'), join(packages, 'semver'), { recursive: true });
    for (const place of [packages, join(packages, 'nestjs-xpay-auth/node_modules')]) {
      mkdirSync(join(place, 'reflect-metadata'), { recursive: true });
      writeFileSync(join(place, 'reflect-metadata/package.json'), '{ "version": "0.2.2" }');
    }
    const program = join(packages, 'nestjs-xpay-auth/dist/cli/main.js');
    const { code, findings } = await runProgram(
      [process.execPath, program, 'doctor', '--json'],
      {},
      { cwd: join(folder, 'bare') },
    );
    expect(code).toBe(1);
    const missing = findings.filter(({ message }) => message.includes('is not installed'));
    expect(missing.map(({ message }) => message.split(' ')[0])).toEqual(
      expect.arrayContaining(['@nestjs/common', '@nestjs/config', 'axios', 'rxjs']),
    );
    expect(missing.every(({ fix }) => fix?.startsWith('Run: npm install "') === true)).toBe(true);
    expect(findings).toContainEqual(
      expect.objectContaining({
        status: 'warning',
        message: expect.stringContaining('two copies of reflect-metadata: 0.2.2'),
      }),
    );
    expect(findings.at(-1)).toMatchObject({ check: 'load', status: 'failure' });
  });
});

describe('the arguments of the program', () => {
  it.each([
    ['whoami', 'ada', '--Secret-Argument'],
    ['whoami', 'ada', '--Secret-Argument=x'],
    ['whoami', 'ada', '--no-Secret-Argument'],
    ['doctor', '--json=Secret-Argument'],
  ])('prints no secret that begins with a hyphen: %s %s %s', async (...args) => {
    const { code, output } = await runProgram([process.execPath, PROGRAM, ...args], {});
    expect(output).not.toContain('Secret-Argument');
    expect([code, output]).toEqual([2, expect.stringContaining('--help')]);
  });

  it('names the option whose value is missing', async () => {
    const { output } = await runProgram([process.execPath, PROGRAM, 'doctor', '--name'], {});
    expect(output).toContain('Option --name: wrong or missing value');
  });

  it('reports a missing file of variables itself, because Node does not read this option', async () => {
    const args = ['doctor', '--json', '--env-file-path', 'none.env'];
    const { code, findings } = await runProgram([process.execPath, PROGRAM, ...args], { XPAY_BASE_URL: upstream.url });
    expect(code).toBe(1);
    expect(findings).toContainEqual(expect.objectContaining({ message: 'none.env does not exist' }));
  });
});

/** Runs `whoami` on a pseudoterminal. */
const onTerminal = async (args: string, type: (output: string) => string | undefined) => {
  const command = `'${process.execPath}' '${PROGRAM}' whoami ${args}`;
  return runProgram(['script', '-qec', command, '/dev/null'], { XPAY_BASE_URL: upstream.url }, { type });
};

/** Types each text when its question appears. */
const answering = (...answers: readonly (readonly [string, string])[]) => {
  const left = [...answers];
  return (output: string): string | undefined =>
    output.includes(left[0]?.[0] ?? '\0') ? left.shift()?.[1] : undefined;
};

describe('whoami: the prompt', () => {
  it('asks for the secret key and does not show it', async () => {
    const { code, output } = await onTerminal(ADA.username, answering(['Secret key', `${ADA.secretKey}\r`]));
    assertNoSecrets(output, [ADA.secretKey]);
    expect(output).toMatch(/username +ada@example\.test/);
    expect(code).toBe(0);
  });

  it('shows only the username when both are pasted at once', async () => {
    const { code, output } = await onTerminal('', answering(['Username: ', `${ADA.username}\r${ADA.secretKey}\r`]));
    assertNoSecrets(output, [ADA.secretKey]);
    expect(output).toMatch(/Username: ada@example\.test/);
    expect(code).toBe(0);
  });

  it('exits with 2 on Ctrl+C', async () => {
    const { code, output } = await onTerminal(ADA.username, answering(['Secret key', 'half-typed-key\u0003']));
    assertNoSecrets(output, ['half-typed-key']);
    expect(output).toContain('whoami: cancelled');
    expect(code).toBe(2);
  });
});
