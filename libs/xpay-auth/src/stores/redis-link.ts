import type { Cluster, Redis } from 'ioredis';
import type { Clock } from '../core/clock.js';
import { XPayAuthError } from '../core/errors.js';
import type { StoreNotice } from '../core/store.js';
import { answerInTime } from './answer-in-time.js';
import type { Script } from './redis-scripts.js';

export interface RedisLinkParts {
  readonly client: Redis | Cluster;
  readonly clock: Clock;
  readonly connectTimeoutMs: number;
  readonly commandTimeoutMs: number;
  readonly notify: (notice: StoreNotice) => void;
}

/** While the server is away it is asked again this often, by one timer and not by the callers. */
const PROBE_EVERY_MS = 1_000;

/** The server does not take this write, and answers all the same. */
const TAKES_NO_WRITES = /^(?:OOM|MISCONF|READONLY|NOREPLICAS) /;
const OTHER_INDEX_KEY = /^XPAYINDEX /;

/**
 * The connection, with a circuit breaker: a server that does not answer in time, or is not there, costs one deadline, and
 * after that nothing until it is back.
 */
export class RedisLink {
  #reason: string | undefined;
  #lastError: string | undefined;
  #closed = false;
  #cancelProbe: (() => void) | undefined;
  readonly #warned = new Set<string>();
  readonly #off: () => void;

  constructor(private readonly parts: RedisLinkParts) {
    const { client } = parts;
    const onError = (error: Error): void => this.#noteError(error);
    const onGone = (): void => this.#leave(this.#lastError ?? 'the connection was closed');
    const onReady = (): void => void this.#probe();
    client.on('error', onError).on('close', onGone).on('end', onGone).on('ready', onReady);
    if (client.status === 'ready') void this.#inspect();
    this.#off = () => {
      client.off('close', onGone).off('end', onGone).off('ready', onReady);
    };
  }

  /** Why the server is away; `undefined` while it is not. */
  get reason(): string | undefined {
    return this.#reason;
  }

  /** Runs a script. `late` is given what arrives after this has given up. */
  run(script: Script, keys: readonly string[], args: readonly (string | number)[], late?: (r: unknown) => void) {
    return this.ask(() => evaluate(this.parts.client, script, keys, args), late);
  }

  /** Runs a script without a wait and without a word of how it went, even while the server is away. */
  send(script: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<void> {
    const { client, commandTimeoutMs } = this.parts;
    const sent = this.#inTime(evaluate(client, script, keys, args), commandTimeoutMs);
    return sent.then(
      () => undefined,
      () => undefined,
    );
  }

  /** One question within the deadline. Throws `store_unavailable`. */
  async ask<T>(question: () => Promise<T>, late?: (answer: T) => void): Promise<T> {
    if (this.#closed) throw unavailable('it is closed');
    if (this.#reason !== undefined) throw unavailable(this.#reason);
    await this.#connected();
    try {
      return await this.#inTime(question(), this.parts.commandTimeoutMs, late);
    } catch (thrown) {
      throw this.#failed(thrown);
    }
  }

  /** Warns once. */
  warn(message: string): void {
    if (this.#warned.has(message)) return;
    this.#warned.add(message);
    this.parts.notify({ type: 'warning', message });
  }

  /** Lets what is under way be answered; a server that is silent is not waited for. */
  async goodbye(): Promise<void> {
    const { client, commandTimeoutMs } = this.parts;
    if (client.status !== 'ready' || this.#reason !== undefined) return;
    await this.#inTime(client.quit(), commandTimeoutMs).catch(() => undefined);
  }

  close(): void {
    this.#closed = true;
    this.#cancelProbe?.();
    this.#off();
  }

  #failed(thrown: unknown): XPayAuthError {
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    if (OTHER_INDEX_KEY.test(message)) {
      this.warn(
        'The index key is not the one that this Redis was used with, so revocations cannot be read. When keys are rotated ' +
          'the first index key must stay: keep it in XPAY_ENCRYPTION_KEYS as index:<its base64>.',
      );
      return unavailable('it was used with another index key');
    }
    if (TAKES_NO_WRITES.test(message)) {
      const code = message.split(' ')[0] ?? '';
      this.warn(`Redis takes no writes (${code}); what needs one goes on without it`);
      return unavailable(`it takes no writes (${code})`);
    }
    const reason = reasonOf(thrown);
    this.#leave(reason);
    return unavailable(reason);
  }

  #noteError(error: Error): void {
    this.#lastError = reasonOf(error);
  }

  /** The first callers wait for the connection; who comes after it was lost does not. */
  async #connected(): Promise<void> {
    const { client, connectTimeoutMs } = this.parts;
    if (client.status === 'ready') return;
    if (client.status === 'wait') client.connect().catch(() => undefined);
    const listeners = new AbortController();
    const ready = new Promise<void>((resolve, reject) => {
      const lost = (): void => reject(new Error(this.#lastError ?? 'no connection'));
      client.once('ready', resolve).once('close', lost).once('end', lost);
      listeners.signal.addEventListener('abort', () =>
        client.off('ready', resolve).off('close', lost).off('end', lost),
      );
    });
    try {
      await this.#inTime(ready, connectTimeoutMs);
    } catch (thrown) {
      throw this.#failed(thrown);
    } finally {
      listeners.abort();
    }
  }

  #inTime<T>(answer: Promise<T>, budgetMs: number, late?: (answer: T) => void): Promise<T> {
    return answerInTime(this.parts.clock, budgetMs, answer, late);
  }

  #leave(reason: string): void {
    if (this.#closed || this.#reason !== undefined) return;
    this.#reason = reason;
    this.parts.notify({ type: 'away', reason });
    this.#probeLater();
  }

  #probeLater(): void {
    this.#cancelProbe?.();
    this.#cancelProbe = this.parts.clock.setTimer(() => void this.#probe(), PROBE_EVERY_MS);
  }

  async #probe(): Promise<void> {
    if (this.#closed) return;
    const { client, commandTimeoutMs, notify } = this.parts;
    try {
      if (client.status !== 'ready') throw new Error('not connected');
      await this.#inTime(client.ping(), commandTimeoutMs);
    } catch {
      if (this.#reason === undefined) this.#leave('no answer to PING');
      else if (!this.#closed) this.#probeLater();
      return;
    }
    this.#lastError = undefined;
    const wasAway = this.#reason !== undefined;
    this.#reason = undefined;
    this.#cancelProbe?.();
    if (wasAway) notify({ type: 'back' });
    void this.#inspect();
  }

  /** A server that evicts what it likes when it is full takes sessions and revocations with it. */
  async #inspect(): Promise<void> {
    try {
      const policy = /maxmemory_policy:(\S+)/.exec(await this.parts.client.info('memory'))?.[1];
      if (policy === undefined || policy === 'noeviction') return;
      this.warn(
        `Redis has maxmemory-policy ${policy} and may throw away sessions and revocations when it is full. Set noeviction.`,
      );
    } catch {
      // Some hosted servers do not say.
    }
  }
}

async function evaluate(
  client: Redis | Cluster,
  { sha, text }: Script,
  keys: readonly string[],
  args: readonly (string | number)[],
): Promise<unknown> {
  try {
    return await client.evalsha(sha, keys.length, ...keys, ...args);
  } catch (thrown) {
    if (!(thrown instanceof Error) || !thrown.message.startsWith('NOSCRIPT')) throw thrown;
    return client.eval(text, keys.length, ...keys, ...args);
  }
}

/** What may be said of it: a client's error may quote the command, which holds names of keys and sealed values. */
function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return 'it failed';
  if ('code' in thrown && typeof thrown.code === 'string') return thrown.code;
  // A server that does not know a command repeats it, and AUTH has a password in it: its first word is a code.
  if (thrown.name === 'ReplyError') return /^[A-Z]{2,32}(?= )/.exec(thrown.message)?.[0] ?? 'it answered with an error';
  return thrown.message.split('\n')[0]?.slice(0, 80) ?? 'it failed';
}

function unavailable(reason: string): XPayAuthError {
  return new XPayAuthError('store_unavailable', `The shared store is unavailable: ${reason}`, { retryAfterMs: 1_000 });
}
