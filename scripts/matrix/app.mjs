// Makes an app for one combination of the matrix from the starter of `nest new`: its test runner, builder, platform and
// settings of TypeScript are changed as the documentation of these tools describes.
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Development dependencies of the starters that neither build nor test. */
const UNUSED = /eslint|oxlint|prettier|globals|mau|coverage|source-map-support|ts-node/;

/** Copies the starter to `folder`, and changes it for the combination. */
export function makeApp(folder, starter, combination) {
  const { nest, runner, builder, typescript, resolution, platform, layout } = combination;
  const esm = nest.startsWith('12');
  cpSync(starter, folder, { recursive: true });
  const path = (file) => join(folder, file);
  const read = (file) => readFileSync(path(file), 'utf8');
  const write = (file, text) => writeFileSync(path(file), text);
  const edit = (file, from, to) => {
    const before = read(file);
    const after = before.replaceAll(from, to);
    if (after === before) throw new Error(`The starter of Nest ${nest} has changed: ${file} has no ${from}`);
    write(file, after);
  };
  const json = (file, change) => {
    const value = JSON.parse(read(file));
    change(value);
    write(file, `${JSON.stringify(value, null, 2)}\n`);
  };

  edit('src/main.ts', 'process.env.PORT ?? 3000', "process.env.PORT ?? 3000, '127.0.0.1'");
  json('package.json', (manifest) => {
    for (const name of Object.keys(manifest.devDependencies)) {
      if (UNUSED.test(name)) delete manifest.devDependencies[name];
    }
    manifest.devDependencies.typescript = `~${typescript}.0`;
  });
  json('tsconfig.json', ({ compilerOptions: options }) => {
    options.module = moduleFor(combination, esm);
    options.moduleResolution = resolution;
    options.types = ['node', runner === 'jest' ? 'jest' : 'vitest/globals'];
    if (resolution === 'node10' || resolution === 'bundler') delete options.resolvePackageJsonExports;
    if (typescript === '5.4') options.target = 'ES2022';
    // TypeScript 6 reports node10 and baseUrl as deprecated, and needs rootDir. The starter of Nest 12 has it.
    if (typescript === '6.0') Object.assign(options, { ignoreDeprecations: '6.0', rootDir: '.' });
  });
  json('tsconfig.build.json', (config) => {
    config.compilerOptions = { ...config.compilerOptions, rootDir: './src' };
    config.include = ['src'];
  });
  if (platform === 'Fastify') useFastify({ json, edit, read, write });
  useRunner({ json, write, path }, runner, esm);
  useBuilder({ json, write }, builder, esm);
  if (layout === 'monorepo') makeMonorepo({ json, path }, esm);
  if (layout === 'path aliases') useAliases({ json, edit, path }, esm);
  // pnpm 12 fails on packages whose build scripts the app has not allowed. The starter has such packages.
  if (combination.manager !== 'npm') write('pnpm-workspace.yaml', 'strictDepBuilds: false\n');
}

function moduleFor({ resolution, typescript }, esm) {
  if (resolution === 'node10') return esm ? 'es2022' : 'commonjs';
  if (resolution === 'bundler') return esm || typescript !== '6.0' ? 'esnext' : 'commonjs';
  return resolution;
}

function useFastify({ json, edit, read, write }) {
  json('package.json', ({ dependencies }) => {
    dependencies['@nestjs/platform-fastify'] = dependencies['@nestjs/platform-express'];
    delete dependencies['@nestjs/platform-express'];
  });
  const imported = "import { FastifyAdapter } from '@nestjs/platform-fastify';\n";
  for (const file of ['src/main.ts', 'test/app.e2e-spec.ts']) write(file, imported + read(file));
  edit('src/main.ts', 'create(AppModule)', 'create(AppModule, new FastifyAdapter())');
  edit('test/app.e2e-spec.ts', 'createNestApplication()', 'createNestApplication(new FastifyAdapter())');
  edit(
    'test/app.e2e-spec.ts',
    'await app.init();',
    'await app.init();\n    await app.getHttpAdapter().getInstance().ready();',
  );
}

/** Replaces the runner of the starter: jest with Nest 11, vitest with Nest 12. */
function useRunner({ json, write, path }, runner, esm) {
  if (runner === 'vitest' && !esm) {
    json('package.json', (manifest) => {
      delete manifest.jest;
      for (const name of ['jest', 'ts-jest', '@types/jest']) delete manifest.devDependencies[name];
      Object.assign(manifest.devDependencies, { vitest: '^4.0.0', 'unplugin-swc': '^1.5.0', '@swc/core': '^1.15.0' });
      Object.assign(manifest.scripts, { test: 'vitest run', 'test:e2e': 'vitest run --config vitest.config.e2e.mts' });
    });
    rmSync(path('test/jest-e2e.json'));
    write('vitest.config.mts', vitestConfig('src/**/*.spec.ts'));
    write('vitest.config.e2e.mts', vitestConfig('test/**/*.e2e-spec.ts'));
  }
  if (runner === 'jest' && esm) {
    const config = {
      moduleFileExtensions: ['js', 'json', 'ts'],
      extensionsToTreatAsEsm: ['.ts'],
      moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
      transform: { '^.+\\.ts$': ['ts-jest', { useESM: true }] },
      testEnvironment: 'node',
    };
    const jest = 'node --experimental-vm-modules node_modules/jest/bin/jest.js';
    json('package.json', (manifest) => {
      for (const name of ['vitest', 'vite-tsconfig-paths']) delete manifest.devDependencies[name];
      Object.assign(manifest.devDependencies, { jest: '^30.0.0', 'ts-jest': '^29.4.0', '@types/jest': '^30.0.0' });
      Object.assign(manifest.scripts, { test: jest, 'test:e2e': `${jest} --config ./test/jest-e2e.json` });
      manifest.jest = { ...config, rootDir: 'src', testRegex: '.*\\.spec\\.ts$' };
    });
    for (const file of ['vitest.config.ts', 'vitest.config.e2e.ts']) rmSync(path(file));
    write('test/jest-e2e.json', JSON.stringify({ ...config, rootDir: '.', testRegex: '.e2e-spec.ts$' }, null, 2));
  }
}

/** The configuration of vitest that the documentation of Nest gives for SWC. */
function vitestConfig(include) {
  return (
    `import swc from 'unplugin-swc';\nimport { defineConfig } from 'vitest/config';\n` +
    `export default defineConfig({\n  test: { globals: true, root: './', include: ['${include}'] },\n` +
    `  plugins: [swc.vite({ module: { type: 'es6' } })],\n});\n`
  );
}

function useBuilder({ json, write }, builder, esm) {
  const packages = {
    SWC: { '@swc/core': '^1.15.18', '@swc/cli': '^0.8.0' },
    rspack: {
      '@rspack/core': '^2.0.0',
      'webpack-node-externals': '^3.0.0',
      'tsconfig-paths-webpack-plugin': '^4.2.0',
      'fork-ts-checker-webpack-plugin': '^9.1.0',
      webpack: '^5.105.4',
    },
  };
  json('package.json', ({ devDependencies }) => Object.assign(devDependencies, packages[builder]));
  json('nest-cli.json', ({ compilerOptions }) => {
    if (builder === 'SWC') compilerOptions.builder = 'swc';
    if (builder === 'rspack') compilerOptions.builder = 'rspack';
    if (builder.startsWith('webpack')) compilerOptions.webpack = true;
    if (builder === 'webpack, externals: []') compilerOptions.webpackConfigPath = 'webpack.config.js';
  });
  if (builder === 'webpack, externals: []' && !esm) {
    write('webpack.config.js', 'module.exports = (options) => ({ ...options, externals: [] });\n');
  }
}

/** Moves the app to apps/api, as `nest generate app` does. */
function makeMonorepo({ json, path }, esm) {
  mkdirSync(path('apps/api'), { recursive: true });
  for (const file of ['src', 'test', 'tsconfig.build.json']) {
    cpSync(path(file), path(`apps/api/${file === 'tsconfig.build.json' ? 'tsconfig.app.json' : file}`), {
      recursive: true,
    });
    rmSync(path(file), { recursive: true });
  }
  json('apps/api/tsconfig.app.json', (config) => {
    Object.assign(config, {
      extends: '../../tsconfig.json',
      include: ['src/**/*'],
      exclude: ['node_modules', '**/*spec.ts'],
    });
    config.compilerOptions = { declaration: false, rootDir: './src', outDir: '../../dist/apps/api' };
  });
  json('nest-cli.json', (config) => {
    Object.assign(config, { monorepo: true, root: 'apps/api', sourceRoot: 'apps/api/src' });
    config.compilerOptions.tsConfigPath = 'apps/api/tsconfig.app.json';
    config.projects = {
      api: {
        type: 'application',
        root: 'apps/api',
        entryFile: 'main',
        sourceRoot: 'apps/api/src',
        compilerOptions: { tsConfigPath: 'apps/api/tsconfig.app.json' },
      },
    };
  });
  if (esm) return;
  json('package.json', (manifest) => {
    manifest.jest.rootDir = '.';
    manifest.jest.roots = ['<rootDir>/apps/'];
    manifest.scripts['test:e2e'] = 'jest --config ./apps/api/test/jest-e2e.json';
  });
}

/** Moves the service to src/core, and imports it as `@core/…`. */
function useAliases({ json, edit, path }, esm) {
  const suffix = esm ? '.js' : '';
  mkdirSync(path('src/core'));
  cpSync(path('src/app.service.ts'), path('src/core/app.service.ts'));
  rmSync(path('src/app.service.ts'));
  for (const file of ['app.module.ts', 'app.controller.ts', 'app.controller.spec.ts']) {
    edit(`src/${file}`, `./app.service${suffix}`, `@core/app.service${suffix}`);
  }
  json('tsconfig.json', ({ compilerOptions }) => (compilerOptions.paths = { '@core/*': ['./src/core/*'] }));
  if (esm) return;
  const moduleNameMapper = { '^@core/(.*)$': '<rootDir>/core/$1' };
  json('package.json', ({ jest }) => (jest.moduleNameMapper = moduleNameMapper));
  json('test/jest-e2e.json', (config) => (config.moduleNameMapper = { '^@core/(.*)$': '<rootDir>/../src/core/$1' }));
}
