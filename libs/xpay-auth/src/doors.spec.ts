import { describe, expect, it } from '@jest/globals';
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../../..');
const library = join(root, 'libs/xpay-auth/src');

/** Which rooms a room may import from, beside itself. `node_modules` are listed where a room may know them. */
const doors: Readonly<Record<string, { rooms: readonly string[]; packages: readonly RegExp[] }>> = {
  core: { rooms: [], packages: [/^node:(crypto|os|util)$/, /^@nestjs\/common$/] },
  flows: { rooms: ['core'], packages: [/^node:(crypto|net)$/, /^lru-cache$/, /^rate-limiter-flexible$/] },
  http: { rooms: ['core'], packages: [/^node:/, /^axios$/] },
  stores: { rooms: ['core'], packages: [/^node:/, /^ioredis$/, /^lru-cache$/] },
  dialects: { rooms: ['core', 'http'], packages: [/^node:/] },
  nest: {
    rooms: ['core', 'flows', 'http', 'stores', 'dialects'],
    packages: [/^node:/, /^@nestjs\//, /^passport(-custom)?$/, /^rxjs$/, /^zod$/, /^axios$/, /^graphql$/],
  },
  integrations: { rooms: ['core', 'flows', 'nest'], packages: [/./] },
  'testing/emulators': { rooms: [], packages: [/^node:/] },
  'testing/kit': {
    rooms: ['core', 'flows', 'http', 'stores', 'dialects', 'nest', 'testing/emulators'],
    packages: [/^node:/, /^@nestjs\//],
  },
  testing: { rooms: ['testing/emulators', 'testing/kit'], packages: [] },
  redis: { rooms: ['stores'], packages: [] },
  // Runs in the CLI, without the library: what it needs of Nest is the app's.
  schematics: { rooms: [], packages: [/^node:/, /^typescript$/] },
  index: { rooms: ['core', 'flows', 'http', 'stores', 'dialects', 'nest'], packages: [] },
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

function roomOf(file: string): string {
  const path = relative(library, file);
  const [first = '', second = ''] = path.split('/');
  if (first === 'testing' && !second.endsWith('.ts')) return `testing/${second}`;
  return first.endsWith('.ts') ? first.slice(0, -3) : first;
}

describe('doors', () => {
  const files = filesBelow(library);

  it('every room of the library has a rule', () => {
    expect(files.map(roomOf).filter((room) => doors[room] === undefined)).toEqual([]);
  });

  it('no room imports through a wall', () => {
    const trespasses = files.flatMap((file) => {
      const room = roomOf(file);
      return importsOf(file).flatMap(({ target, typeOnly }) => {
        const rule = doors[room];
        if (!target.startsWith('.')) {
          return rule?.packages.some((allowed) => allowed.test(target)) === true ? [] : [`${room} imports ${target}`];
        }
        const other = roomOf(resolve(dirname(file), target.replace(/\.js$/, '.ts')));
        // The emulators may know the shape of a clock, and nothing else that the dialects know.
        const clockShape = room === 'testing/emulators' && typeOnly && target.endsWith('core/clock.js');
        return other === room || rule?.rooms.includes(other) === true || clockShape
          ? []
          : [`${relative(library, file)} imports ${target}`];
      });
    });
    expect(trespasses).toEqual([]);
  });

  it('what an app may do without is loaded when it is needed, or for its types', () => {
    const optional = /^(?:graphql|@nestjs\/(?:websockets|microservices|graphql))(?:\/|$)/;
    const eager = files.flatMap((file) => {
      const statements = readFileSync(file, 'utf8').matchAll(/^(?:import|export)\s(?!type\s)[^;]*?'([^']+)';/gms);
      return [...statements].filter(([, target = '']) => optional.test(target)).map(([statement]) => statement);
    });
    expect(eager).toEqual([]);
  });

  it('only the system clock reads the time', () => {
    const readers = files
      .filter((file) => !roomOf(file).startsWith('testing'))
      .filter((file) =>
        /\bDate\.now\(|\bperformance\.now\(|new Date\(\)|\bset(?:Timeout|Interval)\(/.test(readFileSync(file, 'utf8')),
      )
      .map((file) => relative(library, file));
    expect(readers).toEqual(['core/clock.ts']);
  });

  it('core knows of Nest its HttpException and nothing else', () => {
    const imported = files
      .filter((file) => roomOf(file) === 'core')
      .flatMap((file) => [...readFileSync(file, 'utf8').matchAll(/^import[^;]*?'@nestjs\/[^;]*;/gms)])
      .map(([statement]) => statement);
    expect(imported).toEqual(["import { HttpException } from '@nestjs/common';"]);
  });

  it('wire names live in the wire files alone', () => {
    const wire = /['"`.](?:access_token|token-id|refresh-token|token-type|accessToken['"`])/;
    const strangers = files
      .filter((file) => roomOf(file) === 'dialects' && !file.endsWith('.wire.ts'))
      .filter((file) => wire.test(readFileSync(file, 'utf8')))
      .map((file) => relative(library, file));
    expect(strangers).toEqual([]);
  });

  it('the reference app imports the library by its published names', () => {
    const strangers = filesBelow(join(root, 'src'))
      .flatMap(importsOf)
      .filter(({ target }) => /libs\/|xpay-auth\/(?:src|dist)/.test(target));
    expect(strangers).toEqual([]);
  });
});
