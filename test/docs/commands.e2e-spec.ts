import { describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { intersects } from 'semver';
import { codeSpansOf, documents, root } from './markdown.js';

interface Manifest {
  readonly scripts?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
}
const manifest = (path: string): Manifest => JSON.parse(readFileSync(join(root, path), 'utf8')) as Manifest;
const workspace = manifest('package.json');
const library = manifest('libs/xpay-auth/package.json');
const peers = Object.keys(library.peerDependencies ?? {});

const withoutMajor = (name: string): string => name.replace(/(?<=.)@\d+$/, '');

/** Packages that every Nest app has. */
const OF_NEST = ['@nestjs/common', '@nestjs/core', 'reflect-metadata', 'rxjs'];
const FOLDERS = /^(?:bench|docs|examples|libs|scripts|test)\//;
/** Paths that a build, `npm run docs` or the benchmark creates. */
const MADE = /(?:\/dist|^docs\/api|^bench\/results)(?:\/|$)/;

const all = documents();
const blocks = all.flatMap(({ fences }) => fences).filter(({ language }) => ['sh', 'bash'].includes(language));
/** Lines of the blocks with their positions, without comments. */
const commands = blocks.flatMap(({ document, line, code }) =>
  code.split('\n').map((text, at) => ({ at: `${document}:${line + at}`, text: text.replace(/(?:^|\s)#.*$/, '') })),
);

describe('commands in the documents', () => {
  it('are valid shell syntax', () => {
    const wrong = blocks.filter(({ code }) => spawnSync('bash', ['-n'], { input: code }).status !== 0);
    expect(wrong.map(({ document, line }) => `${document}:${line}`)).toEqual([]);
  });

  it('run scripts that exist', () => {
    const named = all.flatMap(({ path, prose, fences }) =>
      [prose, ...fences.map(({ code }) => code)].flatMap((text) =>
        [...text.matchAll(/\bnpm run (?:-s )?([\w:-]+)/g)].map(([, script = '']) => ({ path, script })),
      ),
    );
    expect(named.length).toBeGreaterThan(5);
    expect(named.filter(({ script }) => workspace.scripts?.[script] === undefined)).toEqual([]);
  });

  it('name files that exist', () => {
    const named = commands.flatMap(({ at, text }) =>
      text
        .split(/[\s'"=]+/)
        .filter((word) => FOLDERS.test(word) && !MADE.test(word))
        .map((path) => ({ at, path })),
    );
    expect(named.filter(({ path }) => !existsSync(join(root, path)))).toEqual([]);
  });

  it('install known packages, and in the README all required peers', () => {
    const installed = commands.flatMap(({ at, text }) => {
      const [, packages] = /\bnpm (?:install|i) (.+)$/.exec(text) ?? [];
      return packages === undefined
        ? []
        : [
            {
              at,
              packages: packages
                .split(/\s+/)
                .filter((word) => /^[@a-z]/.test(word))
                .map(withoutMajor),
            },
          ];
    });
    const known = new Set([...peers, ...Object.keys({ ...workspace.dependencies, ...workspace.devDependencies })]);
    const strange = installed.map(({ at, packages }) => ({ at, packages: packages.filter((one) => !known.has(one)) }));
    expect(strange.filter(({ packages }) => packages.length > 0)).toEqual([]);
    const required = peers.filter(
      (peer) => library.peerDependenciesMeta?.[peer]?.optional !== true && !OF_NEST.includes(peer),
    );
    // One command for Nest 12, and one for Nest 11.
    const ofReadme = installed
      .filter(({ at }) => at.startsWith('README.md'))
      .map(({ packages }) => packages.toSorted());
    const complete = ['nestjs-xpay-auth', ...required].toSorted();
    expect(ofReadme).toEqual([complete, complete]);
  });

  it('name major versions that the package supports', () => {
    const named = commands.flatMap(({ text }) => [...text.matchAll(/ (@?[\w/-]+)@(\d+)(?= |$)/g)]);
    const ofPeers = named.filter(([, name = '']) => peers.includes(name));
    expect(ofPeers).not.toEqual([]);
    const wrong = ofPeers.filter(
      ([, name = '', major]) => !intersects(library.peerDependencies?.[name] ?? '', `${major}.x`),
    );
    expect(wrong.map(([text]) => text)).toEqual([]);
  });
});

describe('paths in the documents', () => {
  it('exist', () => {
    const missing = all.flatMap((document) =>
      codeSpansOf(document)
        .filter((span) => FOLDERS.test(span) && /^[\w./-]+$/.test(span) && !MADE.test(span))
        .filter((path) => !existsSync(join(root, path)))
        .map((path) => `${document.path}: ${path}`),
    );
    expect(missing).toEqual([]);
  });

  it('exist in the tree of docs/architecture.md', () => {
    const [tree] = all.find(({ path }) => path === 'docs/architecture.md')?.fences ?? [];
    const above: string[] = [];
    const missing: string[] = [];
    for (const [, indent = '', name = ''] of tree?.code.matchAll(/^( *)(\S+)/gm) ?? []) {
      above.splice(indent.length / 2, Infinity, name);
      if (!existsSync(join(root, ...above))) missing.push(above.join(''));
    }
    expect(above.length).toBeGreaterThan(0);
    expect(missing).toEqual([]);
  });
});
