// Tests the packed library in a CommonJS app of Nest 11, which loads it through Node's require(esm). Part of `npm run
// check:packages`. It runs twice: with the oldest versions that the peers allow, and with the newest of Nest 11 and
// every optional peer.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const NODES = ['20.19.0', '22', '24'];
const root = resolve(import.meta.dirname, '../..');
const library = join(root, 'libs/xpay-auth');
const sources = join(root, 'test/packages/nest-11');
const { name, version, exports, peerDependencies, peerDependenciesMeta } = JSON.parse(
  readFileSync(join(library, 'package.json'), 'utf8'),
);

/** Returns the first part of `^11.1.0 || ^12.0.0`, which is the range for Nest 11. */
const of11 = (peer) => peerDependencies[peer].split(' || ')[0];
const installed = (one) =>
  `${one}@${JSON.parse(readFileSync(join(root, 'node_modules', one, 'package.json'), 'utf8')).version}`;
const peers = Object.keys(peerDependencies);
const required = peers.filter((peer) => peerDependenciesMeta[peer]?.optional !== true);
// Packages of Nest that have the same version as Nest itself.
const platforms = ['express', 'fastify', 'ws'].map((one) => `@nestjs/platform-${one}`);
/** The last two are for Nest's declarations, because skipLibCheck is off. */
const tools = ['typescript', '@types/node', '@types/express', '@types/passport'].map(installed);
const beside = ['ws', '@types/ws', '@apollo/server', '@as-integrations/express5'].map(installed);

const oldest = required.map((peer) => `${peer}@${of11(peer).slice(1)}`);
const newest = peers.map((peer) => `${peer}@${of11(peer)}`);
const withoutRxjs = (packages) => packages.filter((one) => !one.startsWith('rxjs@'));

const place = mkdtempSync(join(tmpdir(), 'xpay-auth-nest-11-'));
try {
  run('npm', ['run', 'build:library'], root);
  run('npm', ['pack', '--silent', '--pack-destination', place], library);

  const least = of11('@nestjs/core').slice(1);
  const old = appWith('oldest', [...oldest, ...platforms.slice(0, 2).map((one) => `${one}@${least}`), ...tools]);
  compile(old, ['main.ts'], { skipLibCheck: false });
  for (const platform of ['express', 'fastify']) run('node', ['dist/main.js', platform], old);

  const graphql = ['@nestjs/graphql@13', '@nestjs/apollo@13'];
  const app = appWith('newest', [...newest, ...platforms.map((one) => `${one}@11`), ...graphql, ...tools, ...beside]);
  compile(app, ['main.ts'], { skipLibCheck: false });
  // skipLibCheck is set here, because the types of the other packages do not compile without it.
  compile(app, ['optional-peers.ts', 'one-connection.ts'], { skipLibCheck: true });
  for (const node of NODES) {
    for (const program of ['main.js express', 'main.js fastify', 'optional-peers.js', 'one-connection.js']) {
      run('npx', ['--yes', '-p', `node@${node}`, '-c', `node dist/${program}`], app);
    }
  }
  const entries = Object.keys(exports).filter((entry) => exports[entry].types !== undefined);
  run('node', ['-e', entries.map((entry) => `require('${join(name, entry)}');`).join(' ')], app);
  cpSync(join(sources, '../entry-points.mjs'), join(app, 'entry-points.mjs'));
  run('node', ['entry-points.mjs', 'redis'], app);
  cpSync(join(sources, '../doctor.mjs'), join(app, 'doctor.mjs'));
  run('node', ['doctor.mjs'], app);
  testUnderJest(app);
  console.log('check:packages, Nest 11: everything passed');
} finally {
  rmSync(place, { recursive: true, force: true });
}

/**
 * Creates a CommonJS app with these packages and the tarball. It uses the workspace's rxjs, because old versions have
 * types that TypeScript 6 rejects.
 */
function appWith(folder, packages) {
  console.log(`\n== Nest 11, ${folder} ==`);
  const app = join(place, folder);
  mkdirSync(app);
  writeFileSync(join(app, 'package.json'), JSON.stringify({ name: 'stranger', private: true }));
  const wanted = [...withoutRxjs(packages), installed('rxjs'), join(place, `${name}-${version}.tgz`)];
  run('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', ...wanted], app);
  return app;
}

/** The settings of `nest new` of Nest 11, plus `strict`. */
function compile(app, files, { skipLibCheck }) {
  const compilerOptions = {
    target: 'ES2023',
    lib: ['ES2023', 'DOM'],
    module: 'nodenext',
    isolatedModules: true,
    strict: true,
    skipLibCheck,
    types: ['node'],
    experimentalDecorators: true,
    emitDecoratorMetadata: true,
    outDir: 'dist',
  };
  for (const file of files) cpSync(join(sources, file), join(app, file));
  writeFileSync(join(app, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }));
  run('npx', ['--no-install', 'tsc', '-p', '.'], app);
}

/** Runs a test under jest in CommonJS, with the settings in docs/testing.md. */
function testUnderJest(app) {
  const [, settings] = /```json\n(\{\n {2}"transform".+?)```/s.exec(
    readFileSync(join(root, 'docs/testing.md'), 'utf8'),
  );
  writeFileSync(join(app, 'jest.config.json'), settings);
  cpSync(join(sources, 'under-jest.ts'), join(app, 'main.spec.ts'));
  run('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', 'jest@30', 'ts-jest@29'], app);
  run('npx', ['--no-install', 'jest'], app);
}

function run(command, args, cwd) {
  console.log(`$ ${command} ${args.join(' ')}`);
  execFileSync(command, args, { cwd, stdio: 'inherit' });
}
