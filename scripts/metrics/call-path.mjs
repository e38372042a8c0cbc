// Counts the source files and the functions of the library that run during one call, with V8's precise coverage of the bundle
// and its source maps.
import 'reflect-metadata';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Authenticated, XPayAuthModule, XPayTokenService } from 'nestjs-xpay-auth';
import { ManualClock, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Session } from 'node:inspector/promises';
import { createServer } from 'node:net';
import { readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const account = { username: 'app@example.test', secretKey: 'app-secret-key', scopes: ['tme_user'] };
const LIFETIME_MS = 3_600_000;
/** Lifetime of a token in ms. It is short, because Redis uses real time and the program has to wait for the expiry. */
const SHORT_LIFETIME_MS = 1_500;

/**
 * The paths that docs/architecture.md describes. Each returns `{ files, functions }`: the names of the code that ran.
 */
export const callPaths = {
  'an unknown Basic caller': unknownCaller,
  'getToken() with an expired token': () => expiredToken(),
  'getToken() with an expired token and Redis': withRedis,
};

async function unknownCaller() {
  const callers = Array.from({ length: 3 }, (_, i) => ({ ...account, username: `caller-${i}@example.test` }));
  const xpay = await startXPayEmulator({ accounts: callers });
  class Routes {
    me() {
      return 'me';
    }
  }
  Controller()(Routes);
  decorate(Routes, 'me', Authenticated(), Get('me'));
  const app = await start({ baseUrl: xpay.url }, [Routes]);
  try {
    await app.listen(0, '127.0.0.1');
    const me = `${await app.getUrl()}/me`;
    const request = async ({ username, secretKey }) => {
      const authorization = `Basic ${Buffer.from(`${username}:${secretKey}`).toString('base64')}`;
      const { status } = await fetch(me, { headers: { authorization } });
      if (status !== 200) throw new Error(`expected 200, got ${status}`);
    };
    return await measure(callers.map((caller) => () => request(caller)));
  } finally {
    await app.close();
    await xpay.stop();
  }
}

async function expiredToken(store) {
  const clock = store === undefined ? new ManualClock() : undefined;
  const time = clock && { clock };
  const tokenLifeMs = clock === undefined ? SHORT_LIFETIME_MS : LIFETIME_MS;
  const xpay = await startXPayEmulator({ accounts: [account], tokenLifeMs, ...time });
  const app = await start({
    baseUrl: xpay.url,
    credentials: { username: account.username, secretKey: account.secretKey },
    ...time,
    ...(store && { store }),
  });
  try {
    const tokens = app.get(XPayTokenService);
    const expire = () => (clock === undefined ? sleep(tokenLifeMs) : clock.advance(2 * tokenLifeMs));
    const renew = () => tokens.getToken();
    await renew();
    return await measure([renew, renew, renew], expire);
  } finally {
    await app.close();
    await xpay.stop();
  }
}

async function withRedis() {
  const port = await freePort();
  const server = spawn('redis-server', ['--port', port, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    for await (const chunk of server.stdout) if (String(chunk).includes('Ready to accept connections')) break;
    const { redisStore } = await import('nestjs-xpay-auth/redis');
    const encryptionKeys = `k1:${randomBytes(32).toString('base64')}`;
    const url = `redis://127.0.0.1:${port}`;
    return await expiredToken(redisStore({ url, encryptionKeys }));
  } finally {
    server.kill();
    await once(server, 'exit');
  }
}

/**
 * Runs all calls except the last as a warm-up, then counts the code that the last one runs. `before` runs before each
 * call and is not counted.
 */
async function measure(calls, before = () => Promise.resolve()) {
  for (const call of calls.slice(0, -1)) {
    await before();
    await call();
  }
  await before();
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false });
  await session.post('Profiler.takePreciseCoverage');
  await calls.at(-1)();
  const { result } = await session.post('Profiler.takePreciseCoverage');
  await session.post('Profiler.stopPreciseCoverage');
  session.disconnect();
  const files = new Set();
  const functions = [];
  for (const { url, functions: all } of result) {
    if (!url.includes('/libs/xpay-auth/dist/')) continue;
    const sourceAt = sourcesOf(fileURLToPath(url));
    for (const { functionName, ranges } of all) {
      if ((ranges[0]?.count ?? 0) === 0) continue;
      const file = sourceAt(ranges[0].startOffset);
      if (file === undefined || file.startsWith('testing/')) continue;
      files.add(file);
      functions.push(`${file} ${functionName}`);
    }
  }
  return { files: [...files].toSorted(inOrder), functions: functions.toSorted(inOrder) };
}

/** Returns the source file of an offset in a file of the bundle, below `src`; `undefined` for code of the bundler itself. */
function sourcesOf(path) {
  const code = readFileSync(path, 'utf8');
  const lineStarts = [0, ...Array.from(code.matchAll(/\n/g), ({ index }) => index + 1)];
  const map = new SourceMap(JSON.parse(readFileSync(`${path}.map`, 'utf8')));
  return (offset) => {
    const line = lineStarts.findLastIndex((start) => start <= offset);
    const { originalSource } = map.findEntry(line, offset - lineStarts[line]);
    return originalSource?.replace(/^(\.\.\/)+src\//, '');
  };
}

async function start(options, controllers = []) {
  class AppModule {}
  Module({ imports: [XPayAuthModule.forRoot({ envPrefix: 'METRICS_', ...options })], controllers })(AppModule);
  const app = await NestFactory.create(AppModule, { logger: false, abortOnError: false });
  await app.init();
  return app;
}

function decorate(type, name, ...decorators) {
  const descriptor = Object.getOwnPropertyDescriptor(type.prototype, name);
  for (const decorator of decorators) decorator(type.prototype, name, descriptor);
  Object.defineProperty(type.prototype, name, descriptor);
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

function inOrder(a, b) {
  return a.localeCompare(b, 'en');
}
