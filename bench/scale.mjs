// Measures the load on the upstream and on Redis for a growing number of instances: `node bench/scale.mjs` prints the table
// of docs/scale.md. Each instance is a separate process that runs the built library (`npm run build` first).
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { randomBytes } from 'node:crypto';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { startXPayEmulator } from 'nestjs-xpay-auth/testing';

const root = resolve(import.meta.dirname, '..');
const CALLERS = 200;
const EXPIRIES = 3;
const TOKEN_LIFE_MS = 4_000;
const UPSTREAM_MS = 100;
const sizes = process.argv.slice(2).map(Number);

const rows = [];
for (const instances of sizes.length > 0 ? sizes : [1, 4, 16, 50]) rows.push(await measure(instances));

console.log(
  '| instances | calls | upstream requests | Redis commands | per call | wait for the token, median / worst |',
);
console.log(
  '| --------: | ----: | ----------------: | -------------: | -------: | ---------------------------------: |',
);
for (const row of rows) console.log(`| ${row.join(' | ')} |`);

/** Measures one cold start and `EXPIRIES` expiries, each with `CALLERS` concurrent callers on every instance. */
async function measure(instances) {
  const port = await freePort();
  const server = spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', ''], {
    stdio: 'ignore',
  });
  const account = { username: 'app@example.test', secretKey: 'bench-secret-27182818' };
  const xpay = await startXPayEmulator({ accounts: [account], tokenLifeMs: TOKEN_LIFE_MS });
  const redis = new Redis(port, '127.0.0.1');
  const environment = {
    PATH: process.env.PATH,
    XPAY_REDIS_URL: `redis://127.0.0.1:${port}`,
    XPAY_ENCRYPTION_KEYS: `k1:${randomBytes(32).toString('base64')}`,
  };
  const options = JSON.stringify({ baseUrl: xpay.url, credentials: account });
  const workers = await Promise.all(Array.from({ length: instances }, () => start(options, environment)));
  await sleep(500);
  const before = await commands(redis);
  const waits = [];
  let calls = 0;
  for (let round = 0; round <= EXPIRIES; round++) {
    xpay.faults.next({ kind: 'delay', ms: UPSTREAM_MS });
    const bursts = await Promise.all(workers.map((worker) => ask(worker, { callers: CALLERS })));
    waits.push(...bursts.map(({ tookMs }) => tookMs));
    calls += instances * CALLERS;
    // No calls are made until the token has expired, so that every caller has to wait for a new token.
    if (round < EXPIRIES) await sleep(TOKEN_LIFE_MS);
  }
  const asked = (await commands(redis)) - before;
  const requests = xpay.ledger.length;
  for (const worker of workers) worker.disconnect();
  redis.disconnect();
  server.kill();
  await xpay.stop();
  const sorted = waits.toSorted((a, b) => a - b);
  const [median, worst] = [sorted[Math.floor(sorted.length / 2)], sorted.at(-1)].map((ms) => `${Math.round(ms)} ms`);
  return [instances, calls, requests, asked, (asked / calls).toFixed(3), `${median} / ${worst}`];
}

/** Returns the number of Redis commands so far, including those that scripts call. */
async function commands(redis) {
  const stats = await redis.info('commandstats');
  return [...stats.matchAll(/^cmdstat_(?!info)[^:]+:calls=(\d+)/gm)].reduce((sum, [, calls]) => sum + Number(calls), 0);
}

async function start(options, env) {
  const worker = fork(join(root, 'test/support/cluster-worker.mjs'), [options], { env });
  await once(worker, 'message');
  return worker;
}

async function ask(worker, rest) {
  worker.send({ id: 1, ask: 'burst', ...rest });
  const [{ answer, failure }] = await once(worker, 'message');
  if (failure !== undefined) throw new Error(failure);
  return answer;
}

async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  return port;
}
