// Runs the programs of the matrix, and keeps their output for the report of a failure.
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

const isWindows = process.platform === 'win32';
/** Milliseconds after which a program is stopped, because it waits for an answer or for the network. */
const LIMIT = 300_000;

/** Runs a program to its end. Throws with its output if it fails. */
export async function run(program, args, { cwd, env = process.env, log }) {
  const started = start(program, args, { cwd, env });
  const timer = setTimeout(() => void started.stop(), LIMIT);
  const code = await started.closed;
  clearTimeout(timer);
  const output = `$ ${program} ${args.join(' ')}\n${started.output()}`;
  log?.(output);
  if (code !== 0) throw new Error(`${output}\n${program} ended with ${code}`);
  return output;
}

/** Starts a program. Its `stop` also stops the programs that it has started. */
export function start(program, args, { cwd, env }) {
  const child = spawn(program, args, {
    cwd,
    env,
    detached: !isWindows,
    stdio: ['ignore', 'pipe', 'pipe'],
    // npm, npx and pnpm are scripts on Windows.
    shell: isWindows && program !== 'node',
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
  const closed = new Promise((resolve) => {
    child.on('error', (error) => ((output += error.message), resolve('an error')));
    child.on('close', (code, signal) => resolve(code ?? signal));
  });
  return {
    closed,
    output: () => output,
    hasEnded: () => child.pid === undefined || child.exitCode !== null || child.signalCode !== null,
    async stop() {
      if (child.pid === undefined || this.hasEnded()) return;
      if (isWindows) spawn('taskkill', ['/pid', String(child.pid), '/T', '/F']);
      else process.kill(-child.pid, 'SIGKILL');
      await closed;
    },
  };
}

/** Starts a server, and returns the status and the body of these paths as soon as it answers. */
export async function answersOf(program, args, { cwd, env, port }, paths) {
  const server = start(program, args, { cwd, env: { ...env, PORT: String(port) } });
  try {
    for (const deadline = Date.now() + LIMIT; Date.now() < deadline && !server.hasEnded(); await sleep(100)) {
      const answers = await Promise.all(paths.map((path) => get(`http://127.0.0.1:${port}${path}`))).catch(
        () => undefined,
      );
      if (answers !== undefined) return answers;
    }
    throw new Error(`${args.join(' ')} does not listen:\n${server.output()}`);
  } finally {
    await server.stop();
  }
}

async function get(url) {
  const answer = await fetch(url);
  return `${answer.status} ${await answer.text()}`;
}
