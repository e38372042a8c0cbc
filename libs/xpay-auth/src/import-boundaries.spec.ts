import { describe, expect, it } from '@jest/globals';
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../../..');
const library = join(root, 'libs/xpay-auth/src');

/** The folders and packages that a folder may import from, beside itself. */
interface Rule {
  readonly folders: readonly string[];
  readonly packages?: readonly RegExp[];
}

const NODE = /^node:/;
const NEST = /^@nestjs\//;
const LRU_CACHE = /^lru-cache$/;

/** A folder is listed after every folder that it imports from, so imports run one way. */
const rules: Readonly<Record<string, Rule>> = {
  core: { folders: [], packages: [/^node:(?:crypto|http|util)$/, /^@nestjs\/common$/] },
  async: { folders: ['core'], packages: [/^node:os$/] },
  http: { folders: ['core', 'async'], packages: [NODE, /^axios$/, /^undici$/] },
  dialects: { folders: ['core', 'http'], packages: [NODE] },
  dialect: { folders: ['core', 'http'] },
  undici: { folders: ['http'] },
  stores: { folders: ['core', 'async'], packages: [NODE, /^ioredis$/, LRU_CACHE] },
  redis: { folders: ['stores'] },
  'rate-limit': { folders: ['core'], packages: [/^node:net$/, LRU_CACHE] },
  token: { folders: ['core', 'async'], packages: [/^node:crypto$/, /^@nestjs\/common$/, LRU_CACHE] },
  cluster: { folders: ['core', 'async', 'token'], packages: [LRU_CACHE] },
  verification: { folders: ['core', 'async', 'rate-limit', 'cluster'], packages: [LRU_CACHE] },
  sessions: { folders: ['core', 'async', 'cluster', 'verification'], packages: [/^node:crypto$/, LRU_CACHE] },
  'nest/requirement': { folders: ['core'] },
  'nest/request': { folders: ['core', 'async'], packages: [NODE, NEST] },
  'nest/exceptions': { folders: ['core'], packages: [/^@nestjs\/common(?:\/|$)/] },
  'nest/options': {
    folders: ['core', 'async', 'rate-limit', 'http', 'dialects', 'stores'],
    packages: [NODE, NEST, /^valibot$/],
  },
  'nest/services': {
    folders: ['core', 'async', 'rate-limit', 'token', 'verification', 'sessions'],
    packages: [NODE, NEST, /^rxjs$/, /^axios$/],
  },
  'nest/strategy': {
    folders: [
      'core',
      'rate-limit',
      'verification',
      'sessions',
      'nest/requirement',
      'nest/exceptions',
      'nest/options',
      'nest/request',
    ],
    packages: [NEST, /^passport(?:-custom)?$/],
  },
  'nest/instance': {
    folders: [
      'core',
      'async',
      'http',
      'rate-limit',
      'token',
      'cluster',
      'verification',
      'sessions',
      'nest/options',
      'nest/request',
      'nest/services',
      'nest/strategy',
    ],
    packages: [NODE, NEST],
  },
  'nest/contexts': {
    folders: ['core', 'nest/exceptions', 'nest/instance', 'nest/options', 'nest/request', 'nest/requirement'],
    packages: [NODE, NEST, /^rxjs$/, /^graphql$/],
  },
  'nest/guards': {
    folders: ['core', 'rate-limit', 'nest/instance', 'nest/request', 'nest/requirement', 'nest/contexts'],
    packages: [NEST],
  },
  'nest/filters': { folders: ['core', 'nest/contexts', 'nest/guards'], packages: [NEST] },
  'nest/decorators': { folders: ['core', 'nest/contexts', 'nest/guards', 'nest/requirement'], packages: [NEST] },
  'nest/module': {
    folders: [
      'core',
      'nest/requirement',
      'nest/request',
      'nest/options',
      'nest/services',
      'nest/strategy',
      'nest/instance',
      'nest/filters',
      'nest/guards',
      'nest/decorators',
    ],
    packages: [NEST],
  },
  'integrations/opentelemetry': { folders: ['core', 'nest/instance'], packages: [/./] },
  'integrations/swagger': {
    folders: [
      'core',
      'nest/requirement',
      'nest/request',
      'nest/options',
      'nest/instance',
      'nest/exceptions',
      'nest/guards',
      'nest/module',
    ],
    packages: [/./],
  },
  'integrations/terminus': { folders: ['core', 'verification', 'nest/instance'], packages: [/./] },
  // Of the required peers, only `cli/checks` and its imports may load any, because `doctor` reports peers that are missing.
  cli: {
    folders: ['core', 'async', 'http', 'stores', 'nest/options'],
    packages: [NODE, /^@nestjs\/config$/, /^ioredis$/, /^semver\//],
  },
  // The emulators share no code with the dialects. They import only the type of a clock.
  'testing/emulators': { folders: [], packages: [NODE] },
  'testing/kit': {
    folders: ['core', 'async', 'http', 'nest/options', 'nest/instance', 'nest/module', 'testing/emulators'],
    packages: [NODE, NEST],
  },
  testing: { folders: ['testing/emulators', 'testing/kit'] },
  // The schematics run in the Nest CLI of an app, without the library.
  schematics: { folders: [], packages: [NODE, /^typescript$/] },
  index: {
    folders: [
      'core',
      'async',
      'dialect',
      'http',
      'rate-limit',
      'dialects',
      'sessions',
      'nest/exceptions',
      'nest/options',
      'nest/services',
      'nest/strategy',
      'nest/instance',
      'nest/contexts',
      'nest/filters',
      'nest/guards',
      'nest/decorators',
      'nest/module',
    ],
  },
};

interface Import {
  readonly file: string;
  readonly target: string;
  readonly typeOnly: boolean;
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.endsWith('spec.ts'))
    .map((file) => join(folder, file));
}

function importsOf(file: string): Import[] {
  const text = readFileSync(file, 'utf8');
  const statements = text.matchAll(/^(?:import|export)\s+(type\s)?[^;]*?from\s+'([^']+)';/gms);
  const bare = text.matchAll(/(?:^import\s+|\bimport\()'([^']+)'/gm);
  return [
    ...[...statements].map(([, type, target = '']) => ({ file, target, typeOnly: type !== undefined })),
    ...[...bare].map(([, target = '']) => ({ file, target, typeOnly: false })),
  ];
}

/** The folder of a file; of `nest`, `integrations` and `testing` the inner one. An entry point counts as a folder. */
function folderOf(file: string): string {
  const [first = '', second = ''] = relative(library, file).split('/');
  if (first.endsWith('.ts')) return first.slice(0, -3);
  return ['nest', 'integrations', 'testing'].includes(first) && !second.endsWith('.ts') ? `${first}/${second}` : first;
}

describe('import boundaries', () => {
  const files = filesBelow(library);

  it('every folder of the library has a rule, and every rule a folder', () => {
    expect(new Set(files.map(folderOf))).toEqual(new Set(Object.keys(rules)));
  });

  it('a rule names only folders that are listed before it, so no folders import each other in a circle', () => {
    const listed = Object.keys(rules);
    const backward = Object.entries(rules).flatMap(([folder, rule]) =>
      rule.folders
        .filter((other) => !listed.slice(0, listed.indexOf(folder)).includes(other))
        .map((other) => `${folder} imports ${other}`),
    );
    expect(backward).toEqual([]);
  });

  it('every import is allowed by the rule of its folder', () => {
    const violations = files.flatMap((file) => {
      const folder = folderOf(file);
      const { folders, packages = [] } = rules[folder] ?? { folders: [] };
      return importsOf(file).flatMap(({ target, typeOnly }) => {
        if (!target.startsWith('.')) {
          return packages.some((allowed) => allowed.test(target)) ? [] : [`${folder} imports ${target}`];
        }
        const other = folderOf(resolve(dirname(file), target.replace(/\.js$/, '.ts')));
        const clockShape = folder === 'testing/emulators' && typeOnly && target.endsWith('core/clock.js');
        return other === folder || folders.includes(other) || clockShape
          ? []
          : [`${relative(library, file)} imports ${target}`];
      });
    });
    expect(violations).toEqual([]);
  });

  it('a rule names only folders that its folder really imports from', () => {
    const made = new Set(
      files.flatMap((file) =>
        importsOf(file)
          .filter(({ target }) => target.startsWith('.'))
          .map(({ target }) => `${folderOf(file)} ${folderOf(resolve(dirname(file), target.replace(/\.js$/, '.ts')))}`),
      ),
    );
    const unused = Object.entries(rules).flatMap(([folder, rule]) =>
      rule.folders.filter((other) => !made.has(`${folder} ${other}`)).map((other) => `${folder} -> ${other}`),
    );
    expect(unused).toEqual([]);
  });

  it('optional packages are imported dynamically, or only for their types', () => {
    const optional = /^(?:graphql|@nestjs\/(?:websockets|microservices|graphql))(?:\/|$)/;
    const eager = files.flatMap((file) => {
      const statements = readFileSync(file, 'utf8').matchAll(/^(?:import|export)\s(?!type\s)[^;]*?'([^']+)';/gms);
      return [...statements].filter(([, target = '']) => optional.test(target)).map(([statement]) => statement);
    });
    expect(eager).toEqual([]);
  });

  it('only the entry point of the undici transport imports it', () => {
    const importers = files.flatMap(importsOf).filter(({ target }) => /undici/.test(target));
    expect(importers.map(({ file, target }) => `${relative(library, file)} imports ${target}`).toSorted()).toEqual([
      'http/undici-transport.ts imports undici',
      'undici.ts imports ./http/undici-transport.js',
    ]);
  });

  it('only the system clock reads the time', () => {
    const readers = files
      .filter((file) => !folderOf(file).startsWith('testing'))
      .filter((file) =>
        /\bDate\.now\(|\bperformance\.now\(|new Date\(\)|\bset(?:Timeout|Interval)\(/.test(readFileSync(file, 'utf8')),
      )
      .map((file) => relative(library, file));
    expect(readers).toEqual(['async/system-clock.ts']);
  });

  it('only the wire files contain the field names of an upstream', () => {
    const wire = /['"`.](?:access_token|token-id|refresh-token|token-type|accessToken['"`])/;
    const others = files
      .filter((file) => folderOf(file) === 'dialects' && !file.endsWith('.wire.ts'))
      .filter((file) => wire.test(readFileSync(file, 'utf8')))
      .map((file) => relative(library, file));
    expect(others).toEqual([]);
  });

  it('the reference app imports the library by its published names', () => {
    const others = filesBelow(join(root, 'src'))
      .flatMap(importsOf)
      .filter(({ target }) => /libs\/|xpay-auth\/(?:src|dist)/.test(target));
    expect(others).toEqual([]);
  });
});
