// Forward auth: the same nginx with and without a request to `/verify` of the reference app.
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { spread } from '../figures/statistics.mjs';
import { basic, caller } from '../inbound/callers.mjs';
import { withProcesses } from '../machine/child.mjs';
import { LOAD_CORE, SERVER_CORE, onCore } from '../machine/cores.mjs';
import { freePort } from '../machine/free-port.mjs';

const path = (name) => fileURLToPath(new URL(name, import.meta.url));
const PLATFORMS = ['fastify', 'express'];

const nginx = ['nginx', '/usr/sbin/nginx'].find((command) => spawnSync(command, ['-v']).status === 0);

export async function measure({ rounds = 5, seconds = 1.5, say }) {
  if (nginx === undefined) return { problem: 'nginx is not installed', rows: [] };
  const version = spawnSync(nginx, ['-v'], { encoding: 'utf8' }).stderr.trim().split('/').at(-1);
  const emulator = await startXPayEmulator({ accounts: [caller] });
  const rows = PLATFORMS.map((platform) => ({ platform, samples: [] }));
  try {
    for (let round = 0; round < rounds; round++) {
      say(`round ${round + 1} of ${rounds}`);
      for (const row of rows) row.samples.push(await sample(row.platform, emulator.url, seconds));
    }
  } finally {
    await emulator.stop();
  }
  return { nginx: version, rows: rows.map(summarise) };
}

/** Takes one sample. nginx and the reference app share the core of the servers. The answer that nginx guards is constant. */
function sample(platform, upstream, seconds) {
  return withProcesses(async (start) => {
    const load = await start(path('../machine/load.mjs'), { core: LOAD_CORE });
    const env = { XPAY_BASE_URL: upstream, PLATFORM: platform };
    const app = await start(path('reference-app.mjs'), { core: SERVER_CORE, env });
    return withNginx(app.ready.url, async (url) => {
      const run = (place, s = seconds) =>
        load.ask('run', { url: `${url}${place}`, headers: { authorization: basic }, seconds: s });
      for (const place of ['/open', '/guarded']) await run(place);
      const [o1, g1, g2, o2] = [await run('/open'), await run('/guarded'), await run('/guarded'), await run('/open')];
      return {
        open: (o1.perSecond + o2.perSecond) / 2,
        guarded: (g1.perSecond + g2.perSecond) / 2,
        p99: [o1.p99, g1.p99],
      };
    });
  });
}

async function withNginx(verify, work) {
  const folder = mkdtempSync(join(tmpdir(), 'bench-nginx-'));
  // If root starts nginx, its workers run as another user, who must be able to read the folder.
  chmodSync(folder, 0o755);
  const port = await freePort();
  writeFileSync(join(folder, 'nginx.conf'), configuration(folder, port, verify));
  const [command, args] = onCore(SERVER_CORE, [
    nginx,
    '-p',
    folder,
    '-c',
    join(folder, 'nginx.conf'),
    '-e',
    join(folder, 'error.log'),
  ]);
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  try {
    const url = `http://127.0.0.1:${port}`;
    await until(async () => (await fetch(`${url}/open`)).ok);
    const anonymous = await fetch(`${url}/guarded`);
    if (anonymous.status !== 401) throw new Error(`nginx answers ${anonymous.status} to an anonymous request`);
    return await work(url);
  } finally {
    child.kill('SIGTERM');
    await new Promise((resolve) => child.once('exit', resolve));
    rmSync(folder, { recursive: true, force: true });
  }
}

function configuration(folder, port, verify) {
  writeFileSync(join(folder, 'hello.txt'), 'hello');
  return `
    daemon off; worker_processes 1; pid ${folder}/nginx.pid; error_log ${folder}/error.log crit;
    events { worker_connections 1024; }
    http {
      access_log off; keepalive_requests 1000000000;
      client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/fastcgi;
      uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
      upstream verify { server ${new URL(verify).host}; keepalive 64; keepalive_requests 1000000000; }
      server {
        listen 127.0.0.1:${port};
        location = /open { alias ${folder}/hello.txt; }
        location = /guarded { auth_request /ask; alias ${folder}/hello.txt; }
        location = /ask {
          internal; proxy_pass http://verify/verify; proxy_pass_request_body off;
          proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Content-Length "";
        }
      }
    }`;
}

async function until(holds) {
  for (let i = 0; i < 200; i++) {
    if (await holds().catch(() => false)) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error('nginx did not start');
}

function summarise({ samples, platform }) {
  return {
    platform,
    open: spread(samples.map(({ open }) => open)),
    guarded: spread(samples.map(({ guarded }) => guarded)),
    ratio: spread(samples.map(({ open, guarded }) => guarded / open)),
    addedMicros: spread(samples.map(({ open, guarded }) => 1e6 / guarded - 1e6 / open)),
    p99: spread(samples.map(({ p99: [, guarded] }) => guarded)),
    p99Open: spread(samples.map(({ p99: [open] }) => open)),
  };
}
