import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { promisify } from 'node:util';
import { ensureBuilt } from '../support/built-app.js';

const root = resolve(import.meta.dirname, '../..');
const ADDRESS = {
  repository: { type: 'git', url: 'git+https://github.com/example/xpay.git' },
  homepage: 'https://github.com/example/xpay#readme',
  bugs: { url: 'https://github.com/example/xpay/issues' },
};

let folder: string;
beforeAll(async () => {
  await ensureBuilt();
  folder = mkdtempSync(join(tmpdir(), 'package-'));
}, 240_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Copies what belongs to the package, and adds fields to its manifest. Returns the folder of the copy. */
function copyOfLibrary(name: string, fields: object): string {
  const library = join(folder, name, 'libs/xpay-auth');
  mkdirSync(library, { recursive: true });
  symlinkSync(join(root, 'scripts'), join(folder, name, 'scripts'));
  for (const path of ['dist', 'schematics', 'LICENSE', 'CHANGELOG.md']) {
    cpSync(join(root, 'libs/xpay-auth', path), join(library, path), { recursive: true });
  }
  const manifest = JSON.parse(readFileSync(join(root, 'libs/xpay-auth/package.json'), 'utf8')) as object;
  writeFileSync(join(library, 'package.json'), JSON.stringify({ ...manifest, ...fields }));
  return library;
}

/** Runs npm without a registry. Resolves to the exit code and the output. */
async function npm(cwd: string, args: readonly string[], variables: Record<string, string> = {}) {
  const env = {
    PATH: process.env['PATH'],
    HOME: folder,
    npm_config_registry: 'http://127.0.0.1:1',
    npm_config_fetch_retries: '0',
    ...variables,
  };
  return promisify(execFile)('npm', args, { cwd, env, maxBuffer: 1e8 }).then(
    ({ stdout, stderr }) => ({ code: 0, output: stdout + stderr }),
    (error: { code: number; stdout: string; stderr: string }) => ({
      code: error.code,
      output: error.stdout + error.stderr,
    }),
  );
}

/** Packs the copy, and unpacks the tarball. Returns the folder of the package. */
async function packed(name: string, fields: object): Promise<string> {
  const library = copyOfLibrary(name, fields);
  const { code, output } = await npm(library, ['pack', '--silent']);
  expect([code, output]).toEqual([0, expect.stringMatching(/nestjs-xpay-auth-\S+\.tgz/)]);
  // npm removes the files that were written for the tarball.
  expect(readdirSync(library).filter((path) => /^(?:docs|README|llms)/.test(path))).toEqual([]);
  const [tarball = ''] = readdirSync(library).filter((path) => path.endsWith('.tgz'));
  await promisify(execFile)('tar', ['-xzf', tarball], { cwd: library });
  return join(library, 'package');
}

/** The links in the texts of a folder, outside of code. */
function linksIn(place: string): { at: string; target: string }[] {
  const texts = readdirSync(place, { recursive: true, encoding: 'utf8' }).filter((path) => /\.(?:md|txt)$/.test(path));
  return texts.flatMap((path) => {
    const text = readFileSync(join(place, path), 'utf8').replace(/^```.*?^```|`[^`\n]*`/gms, '');
    return [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => ({ at: path, target }));
  });
}

/** The comment that the bundler writes before the code of a package. `@oxc-project+runtime` is a part of rolldown. */
const BUNDLED = /^\/\/ (?:\S*\/node_modules\/|\\0)((?:@[\w-]+[/+])?[\w-]+)/gm;

/** The packages whose code is in the bundle without their licence. */
function withoutLicence(place: string): string[] {
  const paths = readdirSync(join(place, 'dist'), { recursive: true, encoding: 'utf8' });
  const texts = paths
    .filter((path) => path.endsWith('.js'))
    .map((path) => readFileSync(join(place, 'dist', path), 'utf8'));
  const names = texts.flatMap((text) => [...text.matchAll(BUNDLED)].map(([, name = '']) => name));
  const packages = new Set(names.map((name) => (name === '@oxc-project+runtime' ? 'rolldown' : name)));
  expect(packages).toContain('semver');
  return [...packages].filter((name) => !paths.some((path) => path.endsWith(`/LICENSE.${name}`)));
}

describe('the package', () => {
  it.each([
    ['without an address', {}],
    ['with the address of its repository', ADDRESS],
  ])('N4 · %s, contains the documents and llms.txt, and every link of them resolves', async (_when, fields) => {
    const place = await packed('repository' in fields ? 'addressed' : 'plain', fields);
    for (const path of ['README.md', 'llms.txt', 'docs/README.md', 'docs/existing-app.md', 'docs/migrate-guard.md']) {
      expect([path, existsSync(join(place, path))]).toEqual([path, true]);
    }
    expect(existsSync(join(place, 'docs/api'))).toBe(false);
    expect(withoutLicence(place)).toEqual([]);
    const links = linksIn(place);
    const inside = links.filter(({ target }) => !/^[a-z][a-z+.-]*:|^#/i.test(target));
    expect(inside.length).toBeGreaterThan(100);
    const dead = inside.filter(({ at, target }) => {
      const path = resolve(place, dirname(at), target.replace(/#.*/, ''));
      return relative(place, path).startsWith('..') || !existsSync(path);
    });
    expect(dead).toEqual([]);
    // Files that only the repository has, such as the examples.
    const outside = links.filter(({ target }) => target.includes('github.com/example/xpay/blob/'));
    const missing = outside.filter(({ target }) => {
      const [, path = ''] = /\/blob\/v[^/]+\/([^#]+)/.exec(target) ?? [];
      return !existsSync(join(root, path));
    });
    expect([outside.length > 10, missing]).toEqual(['repository' in fields, []]);
    // npm resolves the relative links of the README at the root of the repository.
    const onNpm = inside.filter(
      ({ at, target }) => at === 'README.md' && !existsSync(join(root, target.replace(/#.*/, ''))),
    );
    expect('repository' in fields ? onNpm : []).toEqual([]);
  });

  it('N4 · is not published while repository, homepage and bugs are unset, and the message names the fields', async () => {
    const library = copyOfLibrary('unset', {});
    const { code, output } = await npm(library, ['publish', '--dry-run']);
    expect(code).not.toBe(0);
    expect(output).toMatch(/nestjs-xpay-auth cannot be published\. In libs\/xpay-auth\/package\.json:/);
    for (const field of ['repository', 'homepage', 'bugs']) expect(output).toMatch(new RegExp(`^- ${field}: `, 'm'));
  });

  it('N4 · is not published from the workflow of another repository', async () => {
    const library = copyOfLibrary('elsewhere', ADDRESS);
    const { code, output } = await npm(library, ['publish', '--dry-run'], { GITHUB_REPOSITORY: 'someone/fork' });
    expect([code, output]).toEqual([1, expect.stringContaining('this workflow runs in someone/fork')]);
  });

  it('N4 · passes `npm publish --dry-run` with the settings for provenance', async () => {
    const library = copyOfLibrary('set', ADDRESS);
    const args = ['publish', '--dry-run', '--provenance', '--access', 'public'];
    const { code, output } = await npm(library, args, { GITHUB_REPOSITORY: 'example/xpay' });
    expect([code, output]).toEqual([0, expect.stringMatching(/\+ nestjs-xpay-auth@/)]);
  });
});
