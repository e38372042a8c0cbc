import type { Cluster, Redis } from 'ioredis';
import { deadline } from '../async/promises.js';
import type { Clock } from '../core/clock.js';
import { XPayAuthError } from '../core/errors.js';
import type { StoreNotice } from '../core/store.js';
import type { Script } from './redis-scripts.js';

export interface RedisLinkParts {
  readonly client: Redis | Cluster;
  readonly clock: Clock;
  readonly connectTimeoutMs: number;
  readonly commandTimeoutMs: number;
  readonly notify: (notice: StoreNotice) => void;
}

/** While the server is away, one timer probes it this often; the callers do not. */
const PROBE_EVERY_MS = 1_000;

/** Replies by which a server refuses a write. It is not away. */
const REFUSES_WRITES = /^(?:OOM|MISCONF|READONLY|NOREPLICAS)(?= )/;
const OTHER_INDEX_KEY = /^XPAYINDEX /;

/**
 * The connection, with a circuit breaker: a server that does not answer in time, or cannot be reached, costs one deadline, and
 * after that nothing until it is back.
 */
export class RedisLink {
  #reason: string | undefined;
  #lastError: string | undefined;
  #closed = false;
  #cancelProbe: (() => void) | undefined;
  readonly #warned = new Set<string>();
  readonly #unlisten: () => void;

  constructor(private readonly parts: RedisLinkParts) {
    const { client } = parts;
    const onGone = (): void => this.#leave(this.#lastError ?? 'the connection was closed');
    const onReady = (): void => void this.#probe();
    client.on('error', (error: Error) => (this.#lastError = reasonOf(error)));
    client.on('close', onGone).on('end', onGone).on('ready', onReady);
    if (client.status === 'ready') void this.#inspect();
    this.#unlisten = () => client.off('close', onGone).off('end', onGone).off('ready', onReady);
  }

  /** Why the server is away; `undefined` while it is not. */
  get reason(): string | undefined {
    return this.#reason;
  }

  /** Runs a script. `late` receives a result that arrives after the deadline. */
  run(script: Script, keys: readonly string[], args: readonly (string | number)[], late?: (r: unknown) => void) {
    return this.call(() => evaluate(this.parts.client, script, keys, args), late);
  }

  /** Runs a script even while the server is away. Never rejects. */
  async send(script: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<void> {
    await this.#inTime(() => evaluate(this.parts.client, script, keys, args)).catch(() => undefined);
  }

  /** Calls the server within the deadline. Throws `store_unavailable`. */
  async call<T>(command: () => Promise<T>, late?: (answer: T) => void): Promise<T> {
    const reason = this.#closed ? 'it is closed' : this.#reason;
    if (reason !== undefined) throw unavailable(reason);
    try {
      await this.#connected();
      return await this.#inTime(command, late);
    } catch (thrown) {
      throw this.#failed(thrown);
    }
  }

  /** Stops probing and calling. Waits for answers under way if the connection is `ours` to close, unless the server is away. */
  async close(ours: boolean): Promise<void> {
    const { client } = this.parts;
    this.#closed = true;
    this.#cancelProbe?.();
    this.#unlisten();
    if (!ours) return;
    if (client.status === 'ready' && this.#reason === undefined) {
      await this.#inTime(() => client.quit()).catch(() => undefined);
    }
    client.disconnect();
  }

  #failed(thrown: unknown): XPayAuthError {
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    if (OTHER_INDEX_KEY.test(message)) {
      this.#warn(
        'The index key is not the one that this Redis was used with, so revocations cannot be read. When keys are rotated ' +
          'the first index key must stay: keep it in XPAY_ENCRYPTION_KEYS as index:<its base64>.',
      );
      return unavailable('it was used with another index key');
    }
    const [code] = REFUSES_WRITES.exec(message) ?? [];
    if (code !== undefined) {
      this.#warn(`Redis takes no writes (${code}); what needs one goes on without it`);
      return unavailable(`it takes no writes (${code})`);
    }
    const reason = reasonOf(thrown);
    this.#leave(reason);
    return unavailable(reason);
  }

  /** Warns once. */
  #warn(message: string): void {
    if (!this.#warned.has(message)) this.parts.notify({ type: 'warning', message });
    this.#warned.add(message);
  }

  /** Waits for the first connection. After a lost one callers do not wait: the server is away. */
  async #connected(): Promise<void> {
    const { client, connectTimeoutMs } = this.parts;
    if (client.status === 'ready') return;
    if (client.status === 'wait') client.connect().catch(() => undefined);
    const listening = new AbortController();
    const ready = new Promise<void>((resolve, reject) => {
      const lost = (): void => reject(new Error(this.#lastError ?? 'no connection'));
      client.once('ready', resolve).once('close', lost).once('end', lost);
      const unlisten = (): unknown => client.off('ready', resolve).off('close', lost).off('end', lost);
      listening.signal.addEventListener('abort', unlisten);
    });
    await this.#inTime(() => ready, undefined, connectTimeoutMs).finally(() => listening.abort());
  }

  #inTime<T>(run: () => Promise<T>, late?: (answer: T) => void, ms = this.parts.commandTimeoutMs): Promise<T> {
    return deadline({ clock: this.parts.clock, ms, late, error: () => new Error(`no answer within ${ms} ms`) }, run);
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
    const { client, notify } = this.parts;
    try {
      if (client.status !== 'ready') throw new Error('not connected');
      await this.#inTime(() => client.ping());
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

  /** Warns of a server that evicts entries when it is full: sessions and revocations may be among them. */
  async #inspect(): Promise<void> {
    // Some hosted servers refuse INFO.
    const info = await this.parts.client.info('memory').catch(() => '');
    const policy = /maxmemory_policy:(\S+)/.exec(info)?.[1] ?? 'noeviction';
    if (policy === 'noeviction') return;
    this.#warn(
      `Redis has maxmemory-policy ${policy} and may throw away sessions and revocations when it is full. Set noeviction.`,
    );
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

/** Returns what may be shown of an error: a client's message may quote the command with its keys and sealed values. */
function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return 'it failed';
  if ('code' in thrown && typeof thrown.code === 'string') return thrown.code;
  // A server repeats a command that it does not know, and AUTH has a password in it. The first word is a code.
  if (thrown.name === 'ReplyError') return /^[A-Z]{2,32}(?= )/.exec(thrown.message)?.[0] ?? 'it answered with an error';
  return thrown.message.split('\n')[0]?.slice(0, 80) ?? 'it failed';
}

function unavailable(reason: string): XPayAuthError {
  return new XPayAuthError('store_unavailable', `The shared store is unavailable: ${reason}`, { retryAfterMs: 1_000 });
}
