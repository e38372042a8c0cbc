import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
const text = (path: string): string => readFileSync(join(root, path), 'utf8');

interface Manifest {
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
}
interface Lock {
  readonly packages: Readonly<Record<string, Manifest>>;
}

describe("the library's version", () => {
  const { version } = JSON.parse(text('libs/xpay-auth/package.json')) as Manifest;
  const { packages } = JSON.parse(text('package-lock.json')) as Lock;

  it('is the one that the workspace requires, so that `npm ci` links it instead of fetching one', () => {
    const { dependencies } = JSON.parse(text('package.json')) as Manifest;
    const locked = [packages['']?.dependencies['nestjs-xpay-auth'], packages['libs/xpay-auth']?.version];
    expect([dependencies['nestjs-xpay-auth'], ...locked]).toEqual([`^${version}`, `^${version}`, version]);
  });

  it('has its section of the CHANGELOG, the newest first', () => {
    expect(/^## (.+)$/m.exec(text('libs/xpay-auth/CHANGELOG.md'))?.[1]).toBe(version);
  });
});
