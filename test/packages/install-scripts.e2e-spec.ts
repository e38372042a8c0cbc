import { describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');

interface LockedPackage {
  readonly hasInstallScript?: boolean;
  readonly integrity?: string;
  readonly link?: boolean;
}

/** The packages of a lockfile, by their paths. */
const lockedIn = (lockfile: string): [string, LockedPackage][] => {
  const { packages } = JSON.parse(readFileSync(join(root, lockfile), 'utf8')) as {
    packages: Record<string, LockedPackage>;
  };
  return Object.entries(packages).filter(([path, { link }]) => path.startsWith('node_modules/') && link !== true);
};

describe('npm ci', () => {
  it('runs only the scripts of these packages', () => {
    const withScript = lockedIn('package-lock.json').filter(([, { hasInstallScript }]) => hasInstallScript === true);
    expect(withScript.map(([path]) => path.replace(/^.*node_modules\//, ''))).toEqual([
      '@apollo/protobufjs',
      '@parcel/watcher',
      '@scarf/scarf',
      '@swc/core',
      'protobufjs',
      'unrs-resolver',
    ]);
  });

  it.each(['package-lock.json', 'bench/package-lock.json'])('checks every tarball of %s by its hash', (lockfile) => {
    const unchecked = lockedIn(lockfile).filter(([, { integrity }]) => integrity?.startsWith('sha512-') !== true);
    expect(unchecked.map(([path]) => path)).toEqual([]);
  });

  it('reports no installation to the analytics of a dependency', async () => {
    const received: string[] = [];
    const server = createServer((request, response) => {
      received.push(request.url ?? '');
      response.end('{}');
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const script = join(root, 'node_modules/@scarf/scarf/report.js');
    const env = {
      PATH: process.env['PATH'],
      INIT_CWD: root,
      npm_execpath: 'npm',
      SCARF_VERBOSE: 'true',
      SCARF_LOCAL_PORT: String(port),
    };
    const output = await new Promise<string>((done) =>
      execFile(process.execPath, [script], { cwd: root, env }, (_, stdout, stderr) => done(stdout + stderr)),
    );
    server.close();
    expect(output).toContain('User has opted out');
    expect(received).toEqual([]);
  }, 120_000);
});
