// The packed library in an app of Nest 11 in CommonJS, which loads it through Node's require(esm): part of `npm run check:packages`.
// The oldest versions that the peers allow, and the newest of Nest 11 with every optional peer beside it.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
const library = join(root, 'libs/xpay-auth');
const { name, version, exports, peerDependencies, peerDependenciesMeta } = JSON.parse(
  readFileSync(join(library, 'package.json'), 'utf8'),
);

/** `^11.1.0 || ^12.0.0` → `11.1.0`, or `^11.1.0`; a peer that has no such pair has one line of versions for all Nests. */
const lowest = (range) => range.split(' || ')[0].replace('^', '');
const newestOf11 = (range) => range.split(' || ')[0];
const isOptional = (peer) => peerDependenciesMeta[peer]?.optional === true;
const peers = Object.entries(peerDependencies);
// They are of Nest's own line, and have its version.
const platforms = ['@nestjs/platform-express', '@nestjs/platform-fastify'].map((one) => [
  one,
  peerDependencies['@nestjs/core'],
]);
const tools = [`typescript@${installed('typescript')}`, `@types/node@${installed('@types/node')}`];
// An old rxjs has types that today's compiler does not find.
const always = (one) => (one === 'rxjs' ? `rxjs@${installed('rxjs')}` : undefined);

const ROUNDS = {
  oldest: {
    packages: [...peers.filter(([peer]) => !isOptional(peer)), ...platforms].map(
      ([one, range]) => always(one) ?? `${one}@${lowest(range)}`,
    ),
    nodes: ['this'],
  },
  newest: {
    packages: [...peers, ...platforms].map(([one, range]) => always(one) ?? `${one}@${newestOf11(range)}`),
    nodes: ['20.19.0', '22', '24'],
  },
};

const place = mkdtempSync(join(tmpdir(), 'xpay-auth-nest-11-'));
try {
  run('npx', ['nest', 'build', 'xpay-auth'], root);
  run('npm', ['pack', '--silent', '--pack-destination', place], library);
  for (const [round, { packages, nodes }] of Object.entries(ROUNDS)) {
    console.log(`\n== Nest 11, ${round} ==`);
    const app = join(place, round);
    mkdirSync(app);
    writeFileSync(join(app, 'package.json'), JSON.stringify({ name: 'stranger', private: true }));
    const tarball = join(place, `${name}-${version}.tgz`);
    run('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', ...packages, ...tools, tarball], app);
    cpSync(join(root, 'test/packages/nest-11/main.ts'), join(app, 'main.ts'));
    writeFileSync(join(app, 'tsconfig.json'), JSON.stringify(strangersConfig()));
    run('npx', ['--no-install', 'tsc', '-p', '.'], app);
    for (const node of nodes) {
      for (const platform of ['express', 'fastify']) {
        if (node === 'this') run('node', ['dist/main.js', platform], app);
        else run('npx', ['--yes', '-p', `node@${node}`, '-c', `node dist/main.js ${platform}`], app);
      }
    }
    if (round === 'newest') {
      run('node', ['-e', requireAll()], app);
      underJest(app);
    }
  }
  console.log('check:packages, Nest 11: everything passed');
} finally {
  rmSync(place, { recursive: true, force: true });
}

/** Loads every entry point, now that all peers are there. */
function requireAll() {
  const entries = Object.keys(exports).filter((entry) => exports[entry].types !== undefined);
  return entries.map((entry) => `require('${join(name, entry)}');`).join(' ');
}

/** Runs a test by jest in CommonJS, with the settings that the README gives. */
function underJest(app) {
  const [, settings] = /```json\n(\{\n {2}"transform".+?)```/s.exec(readFileSync(join(root, 'README.md'), 'utf8'));
  writeFileSync(join(app, 'jest.config.json'), settings);
  cpSync(join(root, 'test/packages/nest-11/under-jest.ts'), join(app, 'main.spec.ts'));
  run('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', 'jest@30', 'ts-jest@29'], app);
  run('npx', ['--no-install', 'jest'], app);
}

/** As `nest new` of Nest 11 has it, but stricter: no skipLibCheck. */
function strangersConfig() {
  return {
    compilerOptions: {
      target: 'ES2023',
      lib: ['ES2023', 'DOM'],
      module: 'nodenext',
      isolatedModules: true,
      strict: true,
      skipLibCheck: false,
      types: ['node'],
      experimentalDecorators: true,
      emitDecoratorMetadata: true,
      outDir: 'dist',
    },
    files: ['main.ts'],
  };
}

function installed(one) {
  return JSON.parse(readFileSync(join(root, 'node_modules', one, 'package.json'), 'utf8')).version;
}

function run(command, args, cwd) {
  console.log(`$ ${command} ${args.join(' ')}`);
  execFileSync(command, args, { cwd, stdio: 'inherit' });
}
