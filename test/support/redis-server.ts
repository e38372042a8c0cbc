import { Redis } from 'ioredis';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.js';

/** A real `redis-server` on a free port of loopback, which a test may stop, suspend and restart. */
export class RedisServer implements AsyncDisposable {
  #process: ChildProcess | undefined;
  #client: Redis | undefined;
  #sentinel: string | undefined;
  readonly #folder = mkdtempSync(join(tmpdir(), 'redis-'));

  private constructor(
    readonly port: number,
    private readonly settings: readonly string[],
  ) {}

  /** @param settings such as `--maxmemory`, `4mb` */
  static async start(...settings: string[]): Promise<RedisServer> {
    const server = new RedisServer(await freePort(), settings);
    await server.resume();
    return server;
  }

  /** Starts a Sentinel for the server at this port, under the name `primary`. Its quorum is 1. */
  static async startSentinel(port: number): Promise<RedisServer> {
    const sentinel = new RedisServer(await freePort(), []);
    const watched = [`monitor primary 127.0.0.1 ${port} 1`, 'down-after-milliseconds primary 1000'];
    sentinel.#sentinel = watched.map((line) => `sentinel ${line}\n`).join('');
    await sentinel.resume();
    // By default, Sentinel reads the roles every 10 s, and changes the role of a server after 8 s.
    await sentinel.client.call('SENTINEL', 'DEBUG', 'INFO-PERIOD', '100', 'PUBLISH-PERIOD', '100');
    return sentinel;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Returns a connection for the commands of the test. */
  get client(): Redis {
    this.#client ??= new Redis(this.port, '127.0.0.1').on('error', () => undefined);
    return this.#client;
  }

  /** Starts the server again on the same port. */
  async resume(): Promise<void> {
    const where = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.#folder];
    const data = ['--save', '', '--appendonly', 'no', ...this.settings];
    const server = spawn('redis-server', this.#sentinel === undefined ? [...where, ...data] : this.#asSentinel(where), {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#process = server;
    let said = '';
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => reject(new Error(`redis-server does not start: ${error.message}`)));
      server.once('exit', () => reject(new Error(`redis-server ended: ${said}`)));
      server.stdout.on('data', (chunk: Buffer) => {
        said += chunk.toString();
        if (/Ready to accept connections|Sentinel ID is/.test(said)) resolve();
      });
    });
  }

  /** Returns the arguments of a Sentinel. Writes a configuration file, because a Sentinel rewrites its configuration. */
  #asSentinel(where: readonly string[]): string[] {
    const file = join(this.#folder, 'sentinel.conf');
    writeFileSync(file, this.#sentinel ?? '');
    return [file, '--sentinel', ...where];
  }

  /** Kills the server. Its data is lost. */
  async kill(): Promise<void> {
    const server = this.#process;
    this.#process = undefined;
    if (server === undefined || server.exitCode !== null) return;
    const ended = once(server, 'exit');
    server.kill('SIGKILL');
    await ended;
  }

  /** Suspends the server. It keeps its connections but does not respond. */
  freeze(): void {
    this.#process?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#process?.kill('SIGCONT');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client?.disconnect();
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
