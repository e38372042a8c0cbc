import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const root = resolve(import.meta.dirname, '../..');
const built = ['dist/main.js', 'libs/xpay-auth/dist/index.js'].map((path) => join(root, path));

/** How a process ended: with a code, or by a signal. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A program of this workspace in a separate process. */
export interface SpawnedProgram extends AsyncDisposable {
  /** All output so far, of both streams. */
  output(): string;
  /** Resolves to the first match in the output. Rejects when the process ends, or prints no match in time. */
  printed(pattern: RegExp): Promise<RegExpExecArray>;
  ended(): Promise<Ending>;
  kill(signal: NodeJS.Signals): void;
}

/**
 * Starts the built reference app as `npm start` does, with only these environment variables. Call {@link ensureBuilt} before.
 */
export function spawnBuiltApp(environment: Readonly<Record<string, string>> = {}): Promise<SpawnedProgram> {
  return spawnNode(join(root, 'dist/main.js'), environment);
}

/** Runs a module by Node in an empty folder, so that the module does not read a `.env` of the user. */
export async function spawnNode(
  file: string,
  environment: Readonly<Record<string, string>>,
  args: readonly string[] = [],
): Promise<SpawnedProgram> {
  const cwd = await mkdtemp(join(tmpdir(), 'reference-app-'));
  const child = spawn(process.execPath, [file, ...args], {
    cwd,
    env: { PATH: process.env['PATH'], NO_COLOR: '1', PORT: '0', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = once(child, 'close').then(([code, signal]): Ending => ({ code, signal }));

  const printed = async (pattern: RegExp): Promise<RegExpExecArray> => {
    for (const deadline = Date.now() + 60_000; Date.now() < deadline; await sleep(20)) {
      const match = pattern.exec(output);
      if (match !== null) return match;
      if (child.exitCode !== null) break;
    }
    throw new Error(`${String(pattern)} was not printed:\n${output}`);
  };
  const dispose = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
    await rm(cwd, { recursive: true, force: true });
  };
  return {
    output: () => output,
    printed,
    ended: () => ended,
    kill: (signal) => void child.kill(signal),
    [Symbol.asyncDispose]: dispose,
  };
}

/** Builds what is missing, once for all specs that need it. May take a minute. */
export async function ensureBuilt(): Promise<void> {
  const lock = join(root, '.check/building');
  await mkdir(dirname(lock), { recursive: true });
  while (!isBuilt() || existsSync(lock)) {
    const hasLock = await mkdir(lock).then(
      () => true,
      () => false,
    );
    if (!hasLock) {
      await removeStale(lock);
      await sleep(200);
      continue;
    }
    try {
      if (!isBuilt()) await promisify(execFile)('npm', ['run', 'build'], { cwd: root });
    } finally {
      await rm(lock, { recursive: true });
    }
  }
}

function isBuilt(): boolean {
  return built.every((file) => existsSync(file));
}

/** Removes the lock of a run that was killed during the build, because the lock would block all later runs. */
async function removeStale(lock: string): Promise<void> {
  const { mtimeMs } = await stat(lock).catch(() => ({ mtimeMs: Date.now() }));
  if (Date.now() - mtimeMs > 180_000) await rm(lock, { recursive: true, force: true });
}
