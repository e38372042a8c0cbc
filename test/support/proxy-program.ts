import { spawn } from 'node:child_process';
import { cp, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './free-port.js';

const examples = resolve(import.meta.dirname, '../../examples/forward-auth');

/** A proxy in a separate process, with one of the example configurations. */
export interface RunningProxy extends AsyncDisposable {
  /** Such as http://127.0.0.1:41234 */
  readonly url: string;
  /** All output so far. */
  output(): string;
}

export interface ProxySetting {
  readonly program: string;
  /** The Debian package of the program. */
  readonly debianPackage: string;
  /** The folder of its configuration below `examples/forward-auth`. */
  readonly example: string;
  /** Arguments that run it in the foreground, in a folder that is a copy of `examples/forward-auth`. */
  readonly args: (folder: string) => readonly string[];
  /** Replacements in the configuration, mostly with a port. Each text to replace must occur. */
  readonly edits: Readonly<Record<string, string>>;
  /** Texts in which each `8080` stands for the proxy's port and each `8081` for the port of the protected site. */
  readonly listens: readonly string[];
}

/** Copies the examples, assigns free ports, and waits until the proxy responds. Disposal stops the proxy and removes the copy. */
export async function startProxy(setting: ProxySetting): Promise<RunningProxy> {
  for (let tries = 1; ; tries++) {
    const proxy = await tryToStart(setting);
    if (proxy !== 'address in use') return proxy;
    if (tries === 5) throw new Error(`${setting.program} found no free port`);
  }
}

async function tryToStart({ program, debianPackage, example, args, edits, listens }: ProxySetting) {
  const folder = await mkdtemp(join(tmpdir(), `${program}-`));
  const [port, standIn] = [await freePort(), await freePort()];
  // In one pass, because a free port may contain the digits 8081.
  const portOf = (example: string): string => String(example === '8080' ? port : standIn);
  const ports = listens.map((text) => [text, text.replaceAll(/808[01]/g, portOf)]);
  await cp(examples, folder, { recursive: true });
  await edit(join(folder, example), { ...Object.fromEntries(ports), ...edits });

  // Debian installs servers in folders that only the PATH of root contains.
  const PATH = `${process.env['PATH'] ?? ''}:/usr/local/sbin:/usr/sbin`;
  const child = spawn(program, args(folder), {
    cwd: folder,
    env: { PATH, HOME: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  let failure: Error | undefined;
  child.once('error', (error) => (failure = error));
  const closed = new Promise((done) => child.once('close', done));
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    const kill = setTimeout(() => child.kill('SIGKILL'), 5_000);
    await closed;
    clearTimeout(kill);
    await rm(folder, { recursive: true, force: true });
  };

  for (const deadline = Date.now() + 60_000; !(await accepts(port)); await sleep(20)) {
    if (failure === undefined && child.exitCode === null && Date.now() < deadline) continue;
    await stop();
    if (/address already in use/i.test(output)) return 'address in use';
    const hint = `On Debian it is in the package ${debianPackage}.`;
    throw new Error(`${program} does not run. ${failure === undefined ? output : `${failure.message}. ${hint}`}`);
  }
  return { url: `http://127.0.0.1:${port}`, output: () => output, [Symbol.asyncDispose]: stop };
}

/** Replaces texts in all files of a folder. Throws if no file contains one of the texts. */
async function edit(folder: string, edits: Readonly<Record<string, string>>): Promise<void> {
  const missing = new Set(Object.keys(edits));
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    let content = await readFile(file, 'utf8');
    for (const [text, replacement] of Object.entries(edits)) {
      if (!content.includes(text)) continue;
      missing.delete(text);
      content = content.replaceAll(text, () => replacement);
    }
    await writeFile(file, content);
  }
  if (missing.size > 0) throw new Error(`the example has no ${[...missing].join(', no ')}`);
}

function accepts(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => done(true)).once('error', () => done(false));
    socket.once('connect', () => socket.destroy());
  });
}
