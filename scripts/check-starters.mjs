// Part of `npm run check:packages`: generates Nest's starter as `nest new` does, then runs `nest add` and the first
// commands of a new user. Runs once as an ES module with vitest and once as CommonJS with jest.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const root = resolve(import.meta.dirname, '..');
const SCHEMATICS = 'node_modules/@angular-devkit/schematics-cli/bin/schematics.js';
/** Runs `npx nest add`, also when called by another npx. */
const NEST_ADD = 'node node_modules/@nestjs/cli/bin/nest.js add nestjs-xpay-auth --skip-install';
const INSTALL = ['install', '--no-audit', '--no-fund', '--loglevel=error'];
/** Nest's CLI 12 does not start on these versions (ERR_REQUIRE_CYCLE_MODULE), but the app does. */
const NODES_WITHOUT_CLI = new Set(['20.19.0']);
/** The first version on which jest runs the spec of the CommonJS starter, which requires Nest, an ES module. */
const NODE_WITH_JEST_FOR_ESM = '24';

/**
 * Generates both kinds of starter, runs `nest add` and the tests, builds them, starts them and sends requests. The ES
 * module starter runs on all `nodes`.
 */
export async function checkStarters({ tarball, run, nodes }) {
  const place = mkdtempSync(join(tmpdir(), 'xpay-auth-starters-'));
  try {
    for (const type of ['esm', 'cjs']) {
      const app = join(place, `starter-${type}`);
      const generate = ['@nestjs/schematics:application', `--name=starter-${type}`, `--type=${type}`, '--language=ts'];
      run('node', [join(root, SCHEMATICS), ...generate, '--no-interactive'], place);
      listenOnLoopback(app);
      run('npm', [...INSTALL, tarball], app);
      if (type === 'esm') await checkEsm(app, run, nodes);
      else await checkCommonJs(app, run);
    }
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

async function checkEsm(app, run, nodes) {
  const pristine = snapshotOf(app);
  for (const node of nodes) {
    restore(app, pristine);
    const on = (command) => run(...commandOn(NODES_WITHOUT_CLI.has(node) ? 'this' : node, command), app);
    on(NEST_ADD);
    assertAdded(app, '.js');
    const added = snapshotOf(app);
    on(NEST_ADD);
    assert.deepEqual(snapshotOf(app), added, 'a second run changes nothing');
    on('npm run build');
    await checkRunning(app, node);
  }
  run('npm', ['run', 'lint'], app);
  run('npx', ['prettier', '--check', 'src/xpay-example*', 'src/app.module.ts'], app);
  // The examples of docs/testing.md, unchanged except for the name of the test runner.
  const fastify = JSON.parse(readFileSync(join(root, 'node_modules/@nestjs/platform-fastify/package.json'), 'utf8'));
  const platform = `@nestjs/platform-fastify@${fastify.version}`;
  run('npm', [...INSTALL, '--save-dev', platform], app);
  cpSync(join(root, 'examples/testing'), join(app, 'src/testing'), { recursive: true });
  for (const file of filesBelow(join(app, 'src/testing'))) {
    const path = join(app, 'src/testing', file);
    writeFileSync(path, readFileSync(path, 'utf8').replace("'@jest/globals'", "'vitest'"));
  }
  run('npx', ['tsc', '--noEmit'], app);
  run('npm', ['test'], app);
  run('npm', ['run', 'test:e2e'], app);
}

async function checkCommonJs(app, run) {
  // Runs the schematic as the CLI does, including the installation at the end.
  run('node', [SCHEMATICS, 'nestjs-xpay-auth:nest-add', '--source-root=src'], app);
  assertAdded(app, '');
  run('npm', ['run', 'build'], app);
  await checkRunning(app, 'this');
  run(...commandOn(NODE_WITH_JEST_FOR_ESM, 'npm test'), app);
}

/** Runs the app on this Node with the variables of `.env`, against the emulator in the package. */
async function checkRunning(app, node) {
  const emulator = start(app, 'this', 'npx xpay-emulator --port 0');
  const [, user, key, admin, adminKey, lines] = await emulator.printed(
    / at http:\S+\n +(\S+) +(\S+) +tme_user\n +(\S+) +(\S+) +tme_admin\n.*\n.*\.env.*:\n((?:XPAY_\w+=\S+\n){4})/,
  );
  const port = await freePort();
  const env = readFileSync(join(app, '.env'), 'utf8');
  for (const name of ['XPAY_USERNAME', 'XPAY_SECRET_KEY', 'XPAY_BASE_URL'])
    assert.match(env, new RegExp(`^#${name}=`, 'm'));
  writeFileSync(join(app, '.env'), env + lines);
  const server = start(app, node, 'node dist/main', { PORT: String(port) });
  try {
    await server.printed(/Nest application successfully started/);
    await listening(port);
    const get = async (path, caller) => {
      const headers = caller && { authorization: `Basic ${Buffer.from(caller).toString('base64')}` };
      const answer = await fetch(`http://127.0.0.1:${port}/xpay-example/${path}`, { headers });
      return { status: answer.status, body: await answer.json() };
    };
    assert.equal((await get('me')).status, 401);
    assert.equal((await get('me', `${user}:wrong`)).status, 401);
    assert.deepEqual(await get('me', `${user}:${key}`), {
      status: 200,
      body: { username: user, scopes: ['tme_user'] },
    });
    assert.equal((await get('wallets', `${user}:${key}`)).status, 403);
    const wallets = await get('wallets', `${admin}:${adminKey}`);
    assert.deepEqual([wallets.status, wallets.body.length], [200, 3]);
    console.log(`starter on Node ${node}: ok`);
  } finally {
    await server.stop();
    await emulator.stop();
    writeFileSync(join(app, '.env'), env);
  }
}

function assertAdded(app, suffix) {
  const read = (path) => readFileSync(join(app, path), 'utf8');
  const module = read('src/app.module.ts');
  assert.match(module, /imports: \[ConfigModule\.forRoot\(\), XPayAuthModule\.forRoot\(\)\]/);
  assert.ok(module.includes(`'./xpay-example.controller${suffix}'`));
  const { dependencies } = JSON.parse(read('package.json'));
  for (const name of ['@nestjs/axios', '@nestjs/config', '@nestjs/passport', 'axios', 'passport', 'nestjs-xpay-auth'])
    assert.ok(name in dependencies, `${name} is among the dependencies`);
  assert.ok(read('src/xpay-example.controller.spec.ts').includes('asUser'));
}

/** Nest's starter listens on every interface. Here it listens on loopback. */
function listenOnLoopback(app) {
  const main = join(app, 'src/main.ts');
  const before = readFileSync(main, 'utf8');
  const after = before.replace('process.env.PORT ?? 3000', "process.env.PORT ?? 3000, '127.0.0.1'");
  assert.notEqual(after, before, "Nest's starter has changed");
  writeFileSync(main, after);
}

/** Paths that `nest add` may change. */
function snapshotOf(app) {
  const paths = [...filesBelow(join(app, 'src')).map((file) => `src/${file}`), 'package.json', '.env'];
  return new Map(paths.flatMap((path) => (exists(app, path) ? [[path, readFileSync(join(app, path), 'utf8')]] : [])));
}

function restore(app, snapshot) {
  for (const path of snapshotOf(app).keys()) rmSync(join(app, path));
  for (const [path, text] of snapshot) writeFileSync(join(app, path), text);
}

function exists(app, path) {
  return readdirSync(join(app, path, '..')).includes(path.split('/').at(-1));
}

function filesBelow(folder) {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => /\.\w+$/.test(file));
}

/** Returns the command line that runs a command on this Node, or on another version from npm. */
function commandOn(node, command) {
  if (node !== 'this') return ['npx', ['--yes', '-p', `node@${node}`, '-c', command]];
  const [program, ...args] = command.split(' ');
  return [program, args];
}

/** Starts a program. Its `stop` also stops the child processes. */
function start(cwd, node, command, env = {}) {
  const [program, args] = commandOn(node, command);
  // The XPAY_ variables of this machine are left out, so that only .env configures the app.
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('XPAY_'));
  const child = spawn(program, args, {
    cwd,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...Object.fromEntries(inherited), NO_COLOR: '1', ...env },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
  const closed = once(child, 'close');
  return {
    async printed(pattern) {
      for (const deadline = Date.now() + 60_000; Date.now() < deadline; await sleep(100)) {
        const match = pattern.exec(output);
        if (match !== null) return match;
        if (child.exitCode !== null) break;
      }
      throw new Error(`${command} did not print ${pattern}:\n${output}`);
    },
    async stop() {
      const { pid, exitCode, signalCode } = child;
      if (pid !== undefined && exitCode === null && signalCode === null) process.kill(-pid, 'SIGTERM');
      await closed;
    },
  };
}

/** Waits until the app accepts connections. The log line of Nest is too early, because Nest writes it before it listens. */
async function listening(port) {
  for (let tries = 0; tries < 200; tries++, await sleep(50)) {
    const socket = connect(port, '127.0.0.1');
    const listens = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (listens) return;
  }
  throw new Error(`no server listens on ${port}`);
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  return port;
}
