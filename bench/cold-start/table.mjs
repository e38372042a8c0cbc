// Cold start: the reference app's first guarded answer, and the cost that the library adds to an empty Nest app.
import { spawn } from 'node:child_process';
import { request } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { spread } from '../figures/statistics.mjs';
import { basic, caller } from '../inbound/callers.mjs';
import { withProcesses } from '../machine/child.mjs';
import { SERVER_CORE, onCore } from '../machine/cores.mjs';
import { freePort } from '../machine/free-port.mjs';

const path = (name) => fileURLToPath(new URL(name, import.meta.url));
const PLATFORMS = ['fastify', 'express'];
const PATIENCE_MS = 60_000;

export async function measure({ rounds = 7, say }) {
  const emulator = await startXPayEmulator({ accounts: [caller] });
  const rows = PLATFORMS.map((platform) => ({ platform, samples: [] }));
  try {
    for (let round = 0; round < rounds; round++) {
      say(`round ${round + 1} of ${rounds}`);
      for (const { platform, samples } of rows) {
        const empty = await boot(platform, 'without');
        const ours = await boot(platform, 'with');
        samples.push({ empty, ours, firstMs: await firstGuardedAnswer(platform, emulator.url) });
      }
    }
  } finally {
    await emulator.stop();
  }
  return { rows: rows.map(summarise) };
}

function boot(platform, library) {
  return withProcesses(async (start) => {
    const { ready } = await start(path('boot.mjs'), { core: SERVER_CORE, args: [platform, library] });
    return ready;
  });
}

/** Returns the time from the start of the process to the end of a 200 for Basic credentials, with one upstream call. */
async function firstGuardedAnswer(platform, upstream) {
  const port = await freePort();
  const env = {
    ...process.env,
    PORT: String(port),
    PLATFORM: platform,
    XPAY_BASE_URL: upstream,
    NODE_ENV: 'production',
  };
  const [command, args] = onCore(SERVER_CORE, [process.execPath, path('../../dist/main.js')]);
  const startedAt = performance.now();
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'], env });
  try {
    while ((await statusOf(`http://127.0.0.1:${port}/me`)) !== 200) {
      if (performance.now() - startedAt > PATIENCE_MS) throw new Error('the reference app does not answer');
      await wait(2);
    }
    return performance.now() - startedAt;
  } finally {
    child.kill('SIGKILL');
  }
}

/** Returns the status of a request, or `undefined` while no server listens. */
function statusOf(url) {
  return new Promise((resolve) => {
    const asked = request(url, { headers: { authorization: basic }, agent: false }, (response) => {
      response.resume();
      response.once('end', () => resolve(response.statusCode));
    });
    asked.once('error', () => resolve(undefined));
    asked.end();
  });
}

function summarise({ platform, samples }) {
  const of = (pick) => spread(samples.map(pick));
  return {
    platform,
    emptyMs: of(({ empty }) => empty.sinceStartMs),
    importMs: of(({ ours, empty }) => ours.importMs - empty.importMs),
    bootMs: of(({ ours, empty }) => ours.bootMs - empty.bootMs),
    withLibraryMs: of(({ ours }) => ours.sinceStartMs),
    addedRssMb: of(({ ours, empty }) => (ours.rss - empty.rss) / 2 ** 20),
    firstMs: of(({ firstMs }) => firstMs),
  };
}
