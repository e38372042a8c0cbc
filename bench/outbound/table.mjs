// Outbound: calls with a valid token, and concurrent callers without one.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { spread } from '../figures/statistics.mjs';
import { withProcesses } from '../machine/child.mjs';
import { LOAD_CORE, SERVER_CORE } from '../machine/cores.mjs';
import { freePort } from '../machine/free-port.mjs';
import { startEndpoint } from './endpoint.mjs';
import { PEERS } from './peers.mjs';

const PACE = fileURLToPath(new URL('pace.mjs', import.meta.url));
const CROWD = fileURLToPath(new URL('crowd.mjs', import.meta.url));
const CALLERS = 1_000;

/** Figures of any machine are scaled to one on which an `await` of a constant takes this many ns. */
export const FLOOR_NS = 32;

export async function measure({ rounds = 5, peers = Object.keys(PEERS), crowds = true, say }) {
  const endpoint = await startEndpoint();
  try {
    const rows = peers.map((id) => ({ id, name: PEERS[id].name, paces: [] }));
    for (let round = 0; round < rounds; round++) {
      say(`with a valid token, round ${round + 1} of ${rounds}`);
      for (const row of rows) await attempt(row, say, () => pace(row, endpoint));
    }
    say('crowds without a token');
    for (const row of crowds ? rows : []) await attempt(row, say, () => crowd(row, endpoint, say));
    return { callers: CALLERS, floorNs: FLOOR_NS, rows: rows.map(summarise) };
  } finally {
    endpoint.stop();
  }
}

async function attempt(row, say, measureIt) {
  if (row.problem !== undefined) return;
  try {
    await measureIt();
  } catch (failure) {
    row.problem = failure.message;
    say(`${row.id}: ${failure.message}`);
  }
}

async function pace(row, endpoint) {
  if (PEERS[row.id].stampedeOnly) return;
  await withProcesses(async (start) => {
    row.paces.push((await start(PACE, { core: SERVER_CORE, args: [row.id, endpoint.url] })).ready);
  });
}

/** Measures the requests to the endpoint for 1 and 8 processes, without a token and with an expired one. */
async function crowd(row, endpoint, say) {
  if (PEERS[row.id].paceOnly) return;
  row.crowds = {};
  for (const processes of [1, 8]) {
    await withRedis(row.id, (env) =>
      withProcesses(async (start) => {
        const args = [row.id, endpoint.url, CALLERS];
        const many = await Promise.all(
          Array.from({ length: processes }, () => start(CROWD, { core: LOAD_CORE, args, env })),
        );
        const together = (question) => Promise.all(many.map((one) => one.ask(question)));
        endpoint.taken();
        const cold = await together('come');
        const coldRequests = endpoint.taken();
        await together('age');
        const expired = await together('come');
        const failed = [...cold, ...expired].reduce((sum, outcome) => sum + outcome.failed, 0);
        row.crowds[processes] = { cold: coldRequests, expired: endpoint.taken(), failed };
        if (failed > 0)
          say(
            `${row.id}: ${failed} callers got no token, such as: ${[...cold, ...expired].find(({ why }) => why).why}`,
          );
      }),
    );
  }
}

/** Calls `work` with a Redis on this machine for the row that shares its token. */
async function withRedis(id, work) {
  if (id !== 'ours-redis') return work({});
  const port = await freePort();
  const redis = spawn('redis-server', ['--port', port, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  try {
    await new Promise((resolve, reject) => {
      redis.once('error', reject);
      redis.stdout.on('data', (chunk) => String(chunk).includes('eady to accept') && resolve());
    });
    return await work({
      BENCH_REDIS: `redis://127.0.0.1:${port}`,
      BENCH_STORE_KEYS: `k1:${randomBytes(32).toString('base64')}`,
    });
  } finally {
    redis.kill();
  }
}

function summarise({ paces, ...row }) {
  if (paces.length === 0) return row;
  const scaled = (pick) => spread(paces.map((sample) => pick(sample) * FLOOR_NS));
  return {
    ...row,
    floorNs: spread(paces.map(({ floorNs }) => floorNs)),
    getNs: scaled(({ getFloors }) => getFloors),
    ...(paces[0].peekFloors !== undefined && { peekNs: scaled(({ peekFloors }) => peekFloors) }),
  };
}
