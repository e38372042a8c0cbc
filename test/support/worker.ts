import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/** The commands of a worker; see cluster-worker.mjs. */
export interface Answers {
  burst(ask: { callers: number }): { values: string[] };
  reject(ask: { callers: number; value: string }): { values: string[] };
  login(ask: { credentials: object; address?: string }): { accessToken: string };
  logout(ask: { token: string }): undefined;
  revokeUser(ask: { username: string }): undefined;
  who(ask: { authorization: string; address?: string }): string;
}

interface Reply {
  readonly id: number | 'ready';
  readonly answer?: unknown;
  readonly failure?: string;
}

/** One instance in a separate process, which a test may suspend, resume and kill. */
export class Worker implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number | 'ready', (reply: Reply) => void>();
  #asked = 0;

  private constructor(options: object, environment: Readonly<Record<string, string>>) {
    this.#process = fork(join(import.meta.dirname, 'cluster-worker.mjs'), [JSON.stringify(options)], {
      env: { PATH: process.env['PATH'], ...environment },
      execArgv: [],
    });
    this.#process.on('message', (reply: Reply) => this.#waiting.get(reply.id)?.(reply));
  }

  /** @param options of the module, as JSON; the store comes from the environment */
  static async start(options: object, environment: Readonly<Record<string, string>> = {}): Promise<Worker> {
    const worker = new Worker(options, environment);
    await new Promise<void>((resolve, reject) => {
      worker.#waiting.set('ready', () => resolve());
      worker.#process.once('exit', (code) => reject(new Error(`the worker ended: ${String(code)}`)));
    });
    return worker;
  }

  ask<Q extends keyof Answers>(ask: Q, rest: Parameters<Answers[Q]>[0]): Promise<ReturnType<Answers[Q]>> {
    const id = ++this.#asked;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, ({ answer, failure }) => {
        this.#waiting.delete(id);
        if (failure === undefined) resolve(answer as ReturnType<Answers[Q]>);
        else reject(new Error(failure));
      });
      this.#process.send({ id, ask, ...rest });
    });
  }

  /** Sends SIGSTOP, SIGCONT or SIGKILL. */
  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await ended;
  }
}
