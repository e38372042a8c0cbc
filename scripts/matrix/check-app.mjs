// Adds the library to an app of the matrix, as the README describes, and runs the app's own build and tests.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { answersOf, run } from './run.mjs';

/** The commands of the README: `nest add` alone, or after the package manager, which Nest's CLI does not await with pnpm. */
const ADD = {
  npm: [['npx', 'nest', 'add', 'nestjs-xpay-auth']],
  pnpm: [
    ['pnpm', 'add', 'nestjs-xpay-auth'],
    ['pnpm', 'exec', 'nest', 'add', 'nestjs-xpay-auth', '--skip-install'],
    ['pnpm', 'install'],
  ],
};

/** Runs each step. `onStep` is called with its name before. Throws with the output of the program that failed. */
export async function checkApp(app, combination, env, onStep, log) {
  const manager = combination.manager.split(' ')[0];
  const runIn = ([program, ...args]) => run(program, args, { cwd: app, env, log });
  onStep('install');
  await runIn([manager, 'install', ...(manager === 'npm' ? ['--loglevel=error'] : [])]);

  onStep('nest add');
  const outputs = [];
  // In a monorepo, Nest's CLI asks for the project, unless it is given.
  const project = combination.layout === 'monorepo' ? ['--project', 'api'] : [];
  for (const command of ADD[manager])
    outputs.push(await runIn([...command, ...(command.includes('nest') ? project : [])]));
  const folder = combination.layout === 'monorepo' ? 'apps/api/src' : 'src';
  // Nest's CLI 11 exits with 0 when a schematic has failed.
  assert.ok(existsSync(join(app, folder, 'xpay-example.controller.spec.ts')), outputs.join('\n'));
  const { dependencies } = JSON.parse(readFileSync(join(app, 'package.json'), 'utf8'));
  const installed = JSON.parse(readFileSync(join(app, 'node_modules/@nestjs/config/package.json'), 'utf8'));
  const isNest11 = combination.nest.startsWith('11');
  assert.match(dependencies['@nestjs/config'], isNest11 ? /^\^4/ : /^\^12/);
  assert.match(installed.version, isNest11 ? /^4/ : /^12/);

  onStep('build');
  await runIn([manager, 'run', 'build']);
  const config = combination.layout === 'monorepo' ? 'apps/api/tsconfig.app.json' : 'tsconfig.build.json';
  const tsc = ['node', 'node_modules/typescript/bin/tsc', '--noEmit', '-p', config];
  // The other builders check no types.
  if (combination.builder !== 'tsc') await runIn(tsc);
  onStep('unit tests');
  await runIn([manager, 'run', 'test']);
  onStep('e2e tests');
  await runIn([manager, 'run', 'test:e2e']);

  onStep('start');
  // With SWC, the folder of the sources stays in the output of Nest's CLI 11.
  const programs = ['dist/main.js', 'dist/src/main.js', 'dist/apps/api/main.js', 'dist/apps/api/src/main.js'];
  const main = programs.find((file) => existsSync(join(app, file)));
  assert.ok(main !== undefined, `None of ${programs.join(', ')} exists`);
  const server = { cwd: app, env, port: await freePort() };
  const [hello, me] = await answersOf('node', [main], server, ['/', '/xpay-example/me']);
  assert.equal(hello, '200 Hello World!');
  assert.match(me, /^401 /);
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  return port;
}
