import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { nestAdd, type NestAddOptions } from './nest-add.js';
import { loadNestTools } from './module-source.js';
import type { Context, Directory, Tree } from './tree.js';

/** The files of an app in memory, with the interface of the devkit's tree. */
class Files implements Tree {
  readonly texts: Map<string, string>;

  constructor(texts: Readonly<Record<string, string>>) {
    this.texts = new Map(Object.entries(texts));
  }
  exists(path: string): boolean {
    return this.texts.has(path);
  }
  readText(path: string): string {
    const text = this.texts.get(path);
    if (text === undefined) throw new Error(`Path "${path}" does not exist.`);
    return text;
  }
  read(path: string): Buffer | null {
    const name = path.replace(/^\//, '');
    return this.exists(name) ? Buffer.from(this.readText(name)) : null;
  }
  create(path: string, content: string): void {
    if (this.exists(path)) throw new Error(`Path "${path}" already exist.`);
    this.texts.set(path, content);
  }
  overwrite(path: string, content: string): void {
    this.readText(path);
    this.texts.set(path, content);
  }
  getDir(path: string): Directory {
    const within = [...this.texts.keys()].filter((file) => file.startsWith(`${path}/`));
    return { visit: (visitor) => within.forEach((file) => visitor(`/${file}`)) };
  }
}

interface Outcome {
  readonly files: Files;
  readonly said: string[];
  readonly warned: string[];
  readonly tasks: object[];
  readonly text: (path: string) => string;
}

async function add(texts: Readonly<Record<string, string>> | Files, options?: NestAddOptions): Promise<Outcome> {
  const files = texts instanceof Files ? texts : new Files(texts);
  const [said, warned, tasks]: [string[], string[], object[]] = [[], [], []];
  const context: Context = {
    logger: { info: (message) => said.push(message), warn: (message) => warned.push(message) },
    addTask: (task) => tasks.push(task.toConfiguration()),
  };
  await nestAdd(options)(files, context);
  return { files, said, warned, tasks, text: (path) => files.readText(path) };
}

const MODULE = `import { Module } from '@nestjs/common';
import { AppController } from './app.controller.js';

@Module({
  imports: [],
  controllers: [AppController],
})
export class AppModule {}
`;

const devDependencies = { '@nestjs/testing': '^12.0.1', supertest: '^7.0.0', vitest: '^4.1.2' };
const PACKAGE = `${JSON.stringify({ name: 'shop', type: 'module', dependencies: { '@nestjs/core': '^12.0.1', rxjs: '^7.8.1' }, devDependencies }, null, 2)}\n`;

/** The relevant files of Nest's starter. */
const starter = (changes: Readonly<Record<string, string>> = {}): Record<string, string> => ({
  'package.json': PACKAGE,
  'src/app.module.ts': MODULE,
  '.gitignore': '/dist\n.env\n',
  ...changes,
});

const moduleOf = async (source: string, options?: NestAddOptions): Promise<string> =>
  (await add(starter({ 'src/app.module.ts': source }), { skipExample: true, ...options })).text('src/app.module.ts');

describe('nest add', () => {
  it("adds the module, the reader of .env and the example to Nest's starter", async () => {
    const { text } = await add(starter());
    expect(text('src/app.module.ts')).toBe(`import { Module } from '@nestjs/common';
import { AppController } from './app.controller.js';
import { ConfigModule } from '@nestjs/config';
import { XPayAuthModule } from 'nestjs-xpay-auth';
import { XPayExampleController } from './xpay-example.controller.js';

@Module({
  imports: [ConfigModule.forRoot(), XPayAuthModule.forRoot()],
  controllers: [AppController, XPayExampleController],
})
export class AppModule {}
`);
    expect(text('src/xpay-example.controller.ts')).toContain('export class XPayExampleController');
    expect(text('src/xpay-example.controller.spec.ts')).toContain("it } from 'vitest';\nimport { XPayExample");
  });

  it('N1 · prints that it has added the package and its peers to package.json', async () => {
    const { said } = await add(starter());
    expect(said).toContain('package.json requires nestjs-xpay-auth and its peers, for Nest 12.');
  });

  it('changes nothing at a second run, even if the added code was edited', async () => {
    const first = await add(starter());
    first.files.texts.delete('src/xpay-example.controller.ts');
    const before = new Map(first.files.texts);
    const second = await add(first.files);
    expect(second.files.texts).toEqual(before);
    expect(second.tasks).toEqual([]);
    expect(second.said).toEqual(['src/app.module.ts imports XPayAuthModule already; it stays as it is.']);
  });

  it('writes CommonJS for a CommonJS app', async () => {
    const commonJs = JSON.stringify({ devDependencies: { ...devDependencies, vitest: undefined, jest: '^30.0.0' } });
    const { text } = await add(starter({ 'package.json': commonJs }));
    expect(text('src/app.module.ts')).toContain("from './xpay-example.controller';");
    const spec = text('src/xpay-example.controller.spec.ts');
    expect(spec).toContain("from './xpay-example.controller';");
    expect(spec).not.toMatch(/@jest|vitest/);
  });

  it('omits the example with skipExample, and its spec without a test runner', async () => {
    const without = await add(starter(), { skipExample: true });
    expect([...without.files.texts.keys()]).toEqual(['package.json', 'src/app.module.ts', '.gitignore', '.env']);
    expect(without.text('src/app.module.ts')).not.toContain('XPayExample');
    const untested = await add(starter({ 'package.json': '{}' }));
    expect(untested.files.exists('src/xpay-example.controller.ts')).toBe(true);
    expect(untested.files.exists('src/xpay-example.controller.spec.ts')).toBe(false);
  });

  it('overwrites no file of the app', async () => {
    const own = 'export const mine = true;\n';
    const { text } = await add(starter({ 'src/xpay-example.controller.spec.ts': own }));
    expect(text('src/xpay-example.controller.spec.ts')).toBe(own);
  });

  it('supports a monorepo, and a module of another name', async () => {
    const files = {
      'package.json': PACKAGE,
      'apps/api/src/core/root.module.ts': MODULE,
      'apps/other/src/app.module.ts': 'XPayAuthModule.forRoot()',
    };
    const { text } = await add(files, { sourceRoot: 'apps/api/src', module: 'core/root.module.ts' });
    expect(text('apps/api/src/core/root.module.ts')).toContain("from '../xpay-example.controller.js';");
    expect(text('apps/api/src/xpay-example.controller.ts')).toContain('XPayExampleController');
    expect(text('apps/other/src/app.module.ts')).toBe(files['apps/other/src/app.module.ts']);
  });
});

describe('nest add, in the module', () => {
  it.each<[string, string, string]>([
    [
      'imports over several lines',
      '@Module({\n  imports: [\n    UsersModule,\n    MailModule.forRoot({ a: 1 }),\n  ],\n})\nexport class A {}',
      'imports: [\n    UsersModule,\n    MailModule.forRoot({ a: 1 }),\n    ConfigModule.forRoot(),\n    XPayAuthModule.forRoot(),\n  ],',
    ],
    [
      'no imports',
      '@Module({\n  providers: [A],\n})\nexport class A {}',
      'providers: [A],\n  imports: [ConfigModule.forRoot(), XPayAuthModule.forRoot()],',
    ],
    [
      'an empty decorator',
      '@Module({})\nexport class A {}',
      'imports: [ConfigModule.forRoot(), XPayAuthModule.forRoot()]',
    ],
    [
      'a comment in the list',
      '@Module({ imports: [A /* , XPayAuthModule.forRoot() */] })\nclass A {}',
      'XPayAuthModule.forRoot()',
    ],
    [
      'a spread',
      '@Module({ imports: [...common] })\nclass A {}',
      '...common, ConfigModule.forRoot(), XPayAuthModule.forRoot()',
    ],
    [
      'a quoted key',
      "@Module({ 'imports': [A] })\nclass A {}",
      "'imports': [A, ConfigModule.forRoot(), XPayAuthModule.forRoot()]",
    ],
  ])('copes with %s', async (_, source, expected) => {
    expect(await moduleOf(`import { Module } from '@nestjs/common';\n${source}`)).toContain(expected);
  });

  it('reads .env once', async () => {
    const source = MODULE.replace('imports: []', 'imports: [ConfigModule.forRoot({ isGlobal: true })]');
    const imported = source.replace(/^/, "import { ConfigModule } from '@nestjs/config';\n");
    expect((await moduleOf(imported)).match(/ConfigModule\.forRoot/g)).toHaveLength(1);
    const elsewhere = await add(
      starter({ 'src/settings.module.ts': '@Module({ imports: [ConfigModule . forRoot()] }) class S {}' }),
    );
    expect(elsewhere.text('src/app.module.ts')).toContain('imports: [XPayAuthModule.forRoot()],');
  });

  it('imports no name twice', async () => {
    const source = MODULE.replace(/^/, "import { ConfigModule, ConfigService } from '@nestjs/config';\n");
    const edited = await moduleOf(source);
    expect(edited.match(/import \{[^}]*ConfigModule/g)).toHaveLength(1);
    expect(edited).toContain('imports: [ConfigModule.forRoot(), XPayAuthModule.forRoot()]');
  });

  it('adds imports after the last one, which may have several lines, with the line ends of the file', async () => {
    const source = "import {\n  Module,\n} from '@nestjs/common';\nimport './polyfill.js';\n@Module({})\nclass A {}\n";
    expect(await moduleOf(source.replaceAll('\n', '\r\n'))).toContain(
      "import './polyfill.js';\r\nimport { ConfigModule } from '@nestjs/config';\r\nimport { XPayAuthModule }",
    );
    expect(await moduleOf('// first\n@Module({})\nclass A {}\n')).toContain(
      "import { XPayAuthModule } from 'nestjs-xpay-auth';\n@Module",
    );
  });

  it.each([
    ['a URL', "HttpModule.register({ baseURL: 'https://x.test' }), XPayAuthModule.forRoot()"],
    ['a pattern of files', "TypeOrmModule.forRoot({ entities: ['dist/*.js'] }), XPayAuthModule.forRoot() /* */"],
  ])('N1 · finds the module behind a string that contains %s', async (_, entries) => {
    const source = `import { Module } from '@nestjs/common';\n@Module({ imports: [${entries}] })\nclass A {}\n`;
    expect(await moduleOf(source)).toBe(source);
  });

  it.each([
    ["import { ConfigModule } from './config/config.module.js';", 'a module of the app'],
    ["import ConfigModule from './config/config.module.js';", 'a default export of the app'],
    ["import type { ConfigModule } from '@nestjs/config';", 'a type only'],
  ])('N1 · gives ConfigModule of Nest another name beside %s', async (line) => {
    const edited = await moduleOf(MODULE.replace(/^/, `${line}\n`));
    expect(edited).toContain("import { ConfigModule as NestConfigModule } from '@nestjs/config';");
    expect(edited).toContain('imports: [NestConfigModule.forRoot(), XPayAuthModule.forRoot()]');
    expect(edited).toContain(line);
  });

  it.each([
    ['forRootAsync', 'XPayAuthModule.forRootAsync({ useFactory })'],
    ['an odd layout', 'XPayAuthModule\n  .forRoot()'],
  ])('stays away where another file has it by %s', async (_, code) => {
    const { said, text } = await add(
      starter({ 'src/auth/auth.module.ts': `@Module({ imports: [${code}] }) class A {}` }),
    );
    expect(said[0]).toBe('src/auth/auth.module.ts imports XPayAuthModule already; it stays as it is.');
    expect(text('src/app.module.ts')).toBe(MODULE);
  });

  it('ignores specs and comments', async () => {
    const { text } = await add(
      starter({
        'src/a.spec.ts': 'XPayAuthModule.forRoot()',
        'src/b.e2e-spec.ts': 'XPayAuthModule.forRoot()',
        'src/c.ts': '// XPayAuthModule.forRoot()\n/* XPayAuthModule.forRoot() */',
      }),
    );
    expect(text('src/app.module.ts')).toContain('XPayAuthModule.forRoot()');
  });

  it.each([
    [
      'a list it cannot see',
      '@Module({ imports: modules })\nclass A {}',
      /src\/app\.module\.ts has no @Module.*list of imports/,
    ],
    ['no module', 'export const nothing = 1;', /src\/app\.module\.ts has no @Module/],
  ])('says what to do about %s, and changes nothing', async (_, source, message) => {
    const files = new Files(starter({ 'src/app.module.ts': source }));
    const before = new Map(files.texts);
    await expect(add(files)).rejects.toThrow(message);
    await expect(add(files)).rejects.toThrow(/--module, or add it by hand: import \{ XPayAuthModule \}/);
    expect(files.texts).toEqual(before);
    await expect(add({ 'package.json': '{}' })).rejects.toThrow('There is no src/app.module.ts');
  });
});

describe('nest add, in .env', () => {
  const LAST = '#XPAY_BASE_URL=http://127.0.0.1:4010\n';

  it('adds comments to fill in after the present text', async () => {
    const fresh = await add(starter());
    expect(fresh.text('.env')).toMatch(/^# xPay\.stream/);
    expect(fresh.text('.env')).toContain('#XPAY_USERNAME=\n#XPAY_SECRET_KEY=\n');
    expect(
      fresh
        .text('.env')
        .split('\n')
        .filter((line) => line !== '' && !line.startsWith('#')),
    ).toEqual([]);
    const present = await add(starter({ '.env': 'PORT=3000' }));
    expect(present.text('.env')).toBe(`PORT=3000\n\n${fresh.text('.env')}`);
    expect(present.text('.env').endsWith(LAST)).toBe(true);
    const windows = await add(starter({ '.env': 'PORT=3000\r\n' }));
    expect(windows.text('.env').replaceAll('\r\n', '')).not.toMatch(/[\r\n]/);
  });

  it.each(['XPAY_USERNAME=shop@example.test\n', '# XPAY_SECRET_KEY comes from the vault\n', 'export XPAY_BASE_URL=x'])(
    'leaves %j alone',
    async (text) => {
      expect((await add(starter({ '.env': text }))).text('.env')).toBe(text);
    },
  );

  it.each([
    ['.env', true],
    ['/.env', true],
    ['.env*', true],
    ['*.env', true],
    ['**/.env', true],
    ['.env.local', false],
    // Git takes the dot before `*` and the slash at the end literally: neither pattern matches the file `.env`.
    ['.env.*', false],
    ['.env/', false],
    ['.env\n!.env', false],
    ['# .env', false],
  ])('warns of a .gitignore that does not name .env: %s', async (line, ignored) => {
    const { warned } = await add(starter({ '.gitignore': `node_modules\n${line}\n` }));
    expect(warned).toHaveLength(ignored ? 0 : 1);
  });
});

describe('nest add, for the tests of the app', () => {
  const jest = {
    moduleFileExtensions: ['js', 'json', 'ts'],
    rootDir: 'src',
    transform: { '^.+\\.(t|j)s$': 'ts-jest' },
  };
  const commonJs = (core: string, changes: object = {}): string =>
    `${JSON.stringify({ dependencies: { '@nestjs/core': core }, devDependencies: { ...devDependencies, vitest: undefined, jest: '^30.0.0' }, jest, ...changes }, null, 2)}\n`;
  const E2E = `{
  "moduleFileExtensions": ["js", "json", "ts"],
  "rootDir": ".",
  "transform": {
    "^.+\\\\.(t|j)s$": "ts-jest"
  }
}
`;
  const nest11 = (changes: Readonly<Record<string, string>> = {}): Record<string, string> =>
    starter({ 'package.json': commonJs('^11.0.1'), 'test/jest-e2e.json': E2E, ...changes });
  interface Config {
    transform: Record<string, unknown>;
    transformIgnorePatterns: string[];
  }
  const ignoring = (config: Config, path: string): boolean =>
    config.transformIgnorePatterns.some((pattern) => new RegExp(pattern).test(path));

  it('N1 · lets jest transform the package in both configurations of an app of Nest 11', async () => {
    const { text, said } = await add(nest11());
    const unit = (JSON.parse(text('package.json')) as { jest: Config }).jest;
    const e2e = JSON.parse(text('test/jest-e2e.json')) as Config;
    for (const config of [unit, e2e]) {
      const [first = ''] = Object.keys(config.transform);
      for (const modules of ['/app/node_modules', '/app/node_modules/.pnpm/nestjs-xpay-auth@0.1.0_x/node_modules']) {
        expect(`${modules}/nestjs-xpay-auth/dist/testing/index.js`).toMatch(new RegExp(first));
        expect(ignoring(config, `${modules}/nestjs-xpay-auth/dist/testing/index.js`)).toBe(false);
        expect(ignoring(config, `${modules}/lru-cache/dist/index.js`)).toBe(true);
      }
    }
    expect(text('test/jest-e2e.json')).toContain('"moduleFileExtensions": ["js", "json", "ts"],');
    expect(said).toContainEqual(expect.stringMatching(/an ES module: package\.json, test\/jest-e2e\.json/));
    const again = await add(
      nest11({ 'package.json': text('package.json'), 'test/jest-e2e.json': text('test/jest-e2e.json') }),
    );
    expect(again.text('test/jest-e2e.json')).toBe(text('test/jest-e2e.json'));
  });

  it('N1 · writes the settings that docs/testing.md gives', async () => {
    const page = readFileSync(resolve(import.meta.dirname, '../../../../docs/testing.md'), 'utf8');
    const [, documented = ''] = /```json\n(\{\n {2}"transform".+?)```/s.exec(page) ?? [];
    const { text } = await add(nest11({ 'test/jest-e2e.json': '{ "transform": { "^.+\\\\.ts$": "ts-jest" } }\n' }));
    expect(JSON.parse(text('test/jest-e2e.json'))).toEqual(JSON.parse(documented));
  });

  it('N1 · keeps patterns of the app, and uses its transformer', async () => {
    const own = {
      transform: { '^.+\\.ts$': ['@swc/jest', {}] },
      transformIgnorePatterns: ['^/opt/', 'node_modules/(?!other/)'],
    };
    const { text } = await add(nest11({ 'package.json': commonJs('^11.1.0', { jest: own }) }));
    const { jest: config } = JSON.parse(text('package.json')) as { jest: Config };
    expect(Object.values(config.transform)[0]).toEqual([
      '@swc/jest',
      expect.objectContaining({ module: { type: 'commonjs' } }),
    ]);
    expect(config.transformIgnorePatterns[0]).toBe('^/opt/');
    expect(ignoring(config, '/app/node_modules/nestjs-xpay-auth/dist/index.js')).toBe(false);
    expect(ignoring(config, '/app/node_modules/other/index.js')).toBe(false);
    expect(ignoring(config, '/app/node_modules/rxjs/index.js')).toBe(true);
  });

  it('N1 · names the configurations that it cannot edit', async () => {
    const files = { 'jest.config.ts': 'export default {};\n', 'test/jest-e2e.json': '{ "preset": "babel" }\n' };
    const { warned, text } = await add(nest11({ 'package.json': commonJs('^11.1.0', { jest: undefined }), ...files }));
    expect(warned).toEqual([
      expect.stringMatching(/^Left to do: .*to jest\.config\.ts\.$/),
      expect.stringMatching(/^Left to do: .*to test\/jest-e2e\.json\.$/),
    ]);
    expect(text('test/jest-e2e.json')).toBe(files['test/jest-e2e.json']);
  });

  it('N1 · edits the configuration of the project in a monorepo', async () => {
    const files = {
      'apps/api/src/app.module.ts': MODULE,
      'apps/api/test/jest-e2e.json': E2E,
      'apps/web/test/jest-e2e.json': E2E,
    };
    const { text } = await add(nest11(files), { sourceRoot: 'apps/api/src' });
    expect(text('apps/api/test/jest-e2e.json')).toContain('nestjs-xpay-auth');
    expect(text('apps/web/test/jest-e2e.json')).toBe(E2E);
  });

  it('N1 · adds no transform to ES modules, nor to an app of Nest 12', async () => {
    const { text, said } = await add(nest11({ 'package.json': commonJs('^12.0.0') }));
    expect(text('test/jest-e2e.json')).toBe(E2E);
    expect(said).toContainEqual(expect.stringContaining('Left to do: run jest on Node 24.9'));
    const modules = await add(nest11({ 'package.json': commonJs('^11.0.1', { type: 'module' }) }));
    expect(modules.text('test/jest-e2e.json')).toBe(E2E);
  });

  it('N1 · writes the spec of the example for an app on Fastify', async () => {
    const dependencies = { '@nestjs/core': '^12.0.0', '@nestjs/platform-fastify': '^12.0.0' };
    const { text } = await add(
      starter({ 'package.json': JSON.stringify({ type: 'module', dependencies, devDependencies }) }),
    );
    const spec = text('src/xpay-example.controller.spec.ts');
    expect(spec).toContain("import { FastifyAdapter } from '@nestjs/platform-fastify';\nimport { Test }");
    expect(spec).toContain(
      'createNestApplication(new FastifyAdapter());\n    await app.init();\n    await app.getHttpAdapter()',
    );
  });
});

describe('nest add, in package.json', () => {
  const own = json('package.json') as {
    version: string;
    peerDependencies: Record<string, string>;
  };

  it.each([
    ['12', 1, '^12.0.1'],
    ['11', 0, '^11.0.1'],
  ])('N1 · adds the required peers, in their versions for Nest %s', async (_, major, core) => {
    const changed = { 'package.json': PACKAGE.replace('^12.0.1', core) };
    const { text, tasks } = await add(starter(changed));
    const { dependencies } = JSON.parse(text('package.json')) as { dependencies: Record<string, string> };
    const peers = Object.fromEntries(
      Object.entries(own.peerDependencies).map(([name, range]) => [name, range.split(' || ')[major] ?? range]),
    );
    expect(dependencies).toEqual({
      '@nestjs/axios': peers['@nestjs/axios'],
      '@nestjs/common': peers['@nestjs/common'],
      '@nestjs/config': peers['@nestjs/config'],
      '@nestjs/core': core,
      '@nestjs/passport': peers['@nestjs/passport'],
      axios: peers['axios'],
      'nestjs-xpay-auth': `^${own.version}`,
      passport: peers['passport'],
      'reflect-metadata': peers['reflect-metadata'],
      rxjs: '^7.8.1',
    });
    expect(Object.keys(dependencies)).toEqual(Object.keys(dependencies).toSorted());
    const options = { command: 'install', packageManager: 'npm' };
    expect(tasks).toEqual([{ name: 'node-package', options: expect.objectContaining(options) }]);
  });

  it.each([
    ['pnpm-lock.yaml', 'pnpm'],
    ['yarn.lock', 'yarn'],
    ['bun.lock', 'bun'],
  ])('N1 · installs with the package manager of %s', async (lock, packageManager) => {
    const { tasks } = await add(starter({ [lock]: '' }));
    expect(tasks).toEqual([{ name: 'node-package', options: expect.objectContaining({ packageManager }) }]);
  });

  it('keeps versions, formatting and the end of the file', async () => {
    const tabs = JSON.stringify({ dependencies: { 'nestjs-xpay-auth': 'file:../x.tgz', axios: '1.9.0' } }, null, '\t');
    const { text } = await add(starter({ 'package.json': tabs }));
    expect(text('package.json')).toMatch(/^\{\n\t"dependencies": \{\n\t\t"@nestjs\/axios"/);
    expect(text('package.json')).toMatch(/"axios": "1\.9\.0"[^]*"nestjs-xpay-auth": "file:\.\.\/x\.tgz"[^]*\}$/);
  });

  it('installs nothing with skipInstall', async () => {
    const { tasks, text } = await add(starter(), { skipInstall: true });
    expect(tasks).toEqual([]);
    expect(text('package.json')).toContain('"passport"');
  });
});

function json(path: string): unknown {
  return JSON.parse(readFileSync(resolve(import.meta.dirname, '../..', path), 'utf8'));
}

describe('the collection that the CLI reads', () => {
  it('names the factory and the schema correctly', async () => {
    const { schematics } = json('schematics/collection.json') as {
      schematics: Record<string, { factory: string; schema: string }>;
    };
    expect(Object.keys(schematics)).toEqual(['nest-add']);
    const { factory = '', schema = '' } = schematics['nest-add'] ?? {};
    const [, file = '', name = ''] = /^\.\.\/dist\/schematics\/(.+)\.js#(\w+)$/.exec(factory) ?? [];
    expect(await import(`./${file}.js`)).toHaveProperty(name, nestAdd);
    // A name that is missing here, or there, does not compile.
    const options: Record<keyof NestAddOptions, true> = {
      sourceRoot: true,
      module: true,
      skipExample: true,
      skipInstall: true,
    };
    const { properties } = json(`schematics/${schema}`) as { properties: object };
    expect(Object.keys(properties)).toEqual(Object.keys(options));
  });
});

describe("Nest's tools", () => {
  it('come from the app, or from the running CLI', async () => {
    expect(await loadNestTools(process.cwd())).toHaveProperty('MetadataManager');
    expect(await loadNestTools('/an/app/without/them')).toHaveProperty('typescript');
  });

  it('are named in the error if they are missing', async () => {
    const [, program = ''] = process.argv;
    process.argv[1] = '/a/cli/without/them.js';
    try {
      await expect(loadNestTools('/an/app/without/them')).rejects.toThrow('@nestjs/schematics');
    } finally {
      process.argv[1] = program;
    }
  });
});
