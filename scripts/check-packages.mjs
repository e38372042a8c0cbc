// Packs the library, lints the tarball, and runs a plain app against it outside the workspace: `npm run
// check:packages`. Needs the registry. Other Node versions come from npm's `node` package.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { checkStarters } from './check-starters.mjs';

const NODES = ['this', '20.19.0', '22', '24'];
const root = resolve(import.meta.dirname, '..');
const library = join(root, 'libs/xpay-auth');
const version = (name) => JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8')).version;
const run = (command, args, cwd, env = {}) => {
  console.log(`$ ${command} ${args.join(' ')}`);
  execFileSync(command, args, { cwd, stdio: 'inherit', env: { ...process.env, ...env } });
};

const place = mkdtempSync(join(tmpdir(), 'xpay-auth-packages-'));
try {
  run('npm', ['run', 'build:library'], root);
  run('npm', ['pack', '--silent', '--pack-destination', place], library);
  const { version: own } = JSON.parse(readFileSync(join(library, 'package.json'), 'utf8'));
  const tarball = join(place, `nestjs-xpay-auth-${own}.tgz`);
  run('npx', ['publint', 'run', '--strict', tarball], root);
  run('npx', ['attw', tarball], root);

  const peers = [
    '@nestjs/axios',
    '@nestjs/common',
    '@nestjs/config',
    '@nestjs/core',
    '@nestjs/passport',
    'axios',
    'passport',
  ];
  const platforms = ['@nestjs/platform-express', '@nestjs/platform-fastify'];
  // The last two are for Nest's declarations, because skipLibCheck is off.
  const base = ['reflect-metadata', 'rxjs', 'typescript', '@types/node', '@types/express', '@types/passport'];
  const wanted = [...peers, ...platforms, ...base].map((name) => `${name}@${version(name)}`);
  writeFileSync(join(place, 'package.json'), JSON.stringify({ name: 'stranger', private: true, type: 'module' }));
  run('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', ...wanted, tarball], place);

  cpSync(join(root, 'test/packages/plain-app.mjs'), join(place, 'plain-app.mjs'));
  cpSync(join(root, 'test/types/public-surface.types.ts'), join(place, 'public-surface.ts'));
  cpSync(join(root, 'test/types/testing-kit.types.ts'), join(place, 'testing-kit.ts'));
  cpSync(join(root, 'node_modules/expect-type'), join(place, 'node_modules/expect-type'), { recursive: true });
  writeFileSync(join(place, 'tsconfig.json'), JSON.stringify(strangersConfig(['public-surface.ts', 'testing-kit.ts'])));
  run('npx', ['tsc', '-p', '.'], place);

  cpSync(join(root, 'test/packages/entry-points.mjs'), join(place, 'entry-points.mjs'));
  run('node', ['entry-points.mjs'], place);
  cpSync(join(root, 'test/packages/doctor.mjs'), join(place, 'doctor.mjs'));
  run('node', ['doctor.mjs'], place);
  checkOlderSurface();
  // Each installation removes the packages that package.json does not list, expect-type among them.
  checkRedisClients();
  checkUndici();

  for (const node of NODES) {
    for (const platform of ['express', 'fastify']) {
      const script = `node plain-app.mjs ${platform}`;
      if (node === 'this') run('node', ['plain-app.mjs', platform], place);
      else run('npx', ['--yes', '-p', `node@${node}`, '-c', script], place);
    }
  }

  await checkStarters({ tarball, run, nodes: NODES });
  console.log('check:packages: everything passed');
} finally {
  rmSync(place, { recursive: true, force: true });
}

/** The oldest and the newest supported versions of both clients of Redis. */
function checkRedisClients() {
  cpSync(join(root, 'test/packages/redis-clients.mjs'), join(place, 'redis-clients.mjs'));
  for (const clients of [
    ['ioredis@5.4.0', 'redis@5.0.0'],
    ['ioredis@5', 'redis@5'],
    ['ioredis@6', 'redis@6'],
  ]) {
    run('npm', ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error', ...clients], place);
    run('node', ['redis-clients.mjs'], place);
  }
}

/** Runs the undici transport with the oldest and the newest versions of undici that support Node 20. */
function checkUndici() {
  cpSync(join(root, 'test/packages/undici.mjs'), join(place, 'undici.mjs'));
  for (const undici of ['undici@6.0.0', 'undici@6', 'undici@7.1.0', 'undici@7']) {
    run('npm', ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error', undici], place);
    run('node', ['undici.mjs'], place);
  }
}

/**
 * Checks that code written for 0.1.0 compiles and that the program in the README of 0.1.0 runs. The changes since then are
 * listed in test/packages/surface-0.1/README.md.
 */
function checkOlderSurface() {
  const older = join(place, 'surface-0.1');
  cpSync(join(root, 'test/packages/surface-0.1'), older, { recursive: true });
  writeFileSync(join(older, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
  const files = ['main.ts', 'fragments.ts', 'public-surface.types.ts', 'testing-kit.types.ts'];
  const config = strangersConfig(files);
  Object.assign(config.compilerOptions, { noEmit: false, outDir: 'dist' });
  writeFileSync(join(older, 'tsconfig.json'), JSON.stringify(config));
  run('npx', ['tsc', '-p', '.'], older);
  run('node', ['dist/main.js'], older);
}

/** Returns a tsconfig without skipLibCheck, so that every published type has to compile without the optional peers. */
function strangersConfig(files) {
  return {
    compilerOptions: {
      target: 'ES2023',
      lib: ['ES2023', 'DOM'],
      module: 'nodenext',
      strict: true,
      noEmit: true,
      skipLibCheck: false,
      types: ['node'],
      experimentalDecorators: true,
      emitDecoratorMetadata: true,
    },
    files,
  };
}
