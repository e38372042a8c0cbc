import { deadline } from '../async/promises.js';
import type { Clock } from '../core/clock.js';
import { type XPayAuthError, storeIsAway } from '../core/errors.js';
import type { StoreNotice } from '../core/store.js';
import type { RedisConnection } from './redis-connection.js';
import {
  IS_REPLICA,
  NO_RIGHT,
  REJECTS_WRITES,
  WRONG_INDEX_KEY,
  faultOf,
  missingRight,
  reasonOf,
} from './redis-replies.js';
import { PROBE, type Script, type ScriptArgs } from './redis-scripts.js';

export interface RedisLinkParts {
  readonly connection: RedisConnection;
  /** The prefix of all keys and channels. */
  readonly prefix: string;
  /** A key of this store, which a probe writes. */
  readonly probeKey: string;
  /** Reconnects the other connections too, because the address now leads to another server. */
  readonly onReconnect: () => void;
  readonly clock: Clock;
  readonly connectTimeoutMs: number;
  readonly commandTimeoutMs: number;
  readonly notify: (notice: StoreNotice) => void;
}

/** Ms between two probes of an unavailable server. A timer sends the probes; callers do not wait for them. */
const PROBE_EVERY_MS = 1_000;

/**
 * The connection to Redis, with a circuit breaker. If the server is unreachable or does not answer in time, one call waits for
 * the deadline. Later calls then fail immediately, until the server is available again.
 */
export class RedisLink {
  /** The reason why the server is unavailable; `undefined` while it is available. */
  reason: string | undefined;
  /** The script that the server last rejected because of a wrong setting. Cleared when that script succeeds. */
  #fault: { readonly script: Script; readonly reason: string } | undefined;
  #lastError: string | undefined;
  #closed = false;
  /** The wait for the first connection. */
  #connecting: Promise<void> | undefined;
  #cancelProbe: (() => void) | undefined;
  readonly #warned = new Set<string>();
  readonly #unlisten: () => void;

  constructor(private readonly parts: RedisLinkParts) {
    const { connection } = parts;
    this.#unlisten = connection.listen({
      ready: () => void this.#probe(),
      lost: () => this.#leave(this.#lastError ?? 'the connection was closed'),
      failed: (error) => (this.#lastError = reasonOf(error)),
    });
    if (connection.isReady) void this.#inspect();
  }

  /** The wrong setting because of which an available server rejects a script; `undefined` if there is none. */
  get fault(): string | undefined {
    return this.#fault?.reason;
  }

  /** Runs a script. `late` receives a result that arrives after the deadline. */
  run(script: Script, keys: readonly string[], args: ScriptArgs, late?: (answer: unknown) => void) {
    return this.call(async () => {
      try {
        const result = await this.#evaluate(script, keys, args);
        if (this.#fault?.script === script) this.#fault = undefined;
        return result;
      } catch (thrown) {
        const reason = faultOf(thrown);
        if (reason !== undefined) this.#fault = { script, reason };
        throw thrown;
      }
    }, late);
  }

  /** Sends a message. Messages may be lost, so a missing right causes only a warning. */
  async publish(channel: string, message: string): Promise<void> {
    await this.call(() =>
      this.parts.connection.publish(channel, message).catch((thrown) => this.deniedChannel(thrown)),
    );
  }

  /** Warns if a right to the channels is missing; throws any other error. */
  deniedChannel(thrown: unknown): void {
    if (faultOf(thrown) !== NO_RIGHT) throw thrown;
    this.#warn(
      'The user of Redis lacks a right to the channels (NOPERM), so other instances learn of a revocation up to a second ' +
        `late. Grant it: &${this.parts.prefix}* +publish +subscribe`,
    );
  }

  /** Sends a script to the server even while the server counts as unavailable. Never rejects. */
  async send(script: Script, keys: readonly string[], args: ScriptArgs): Promise<void> {
    await this.#inTime(() => this.#evaluate(script, keys, args)).catch(() => undefined);
  }

  /** Calls the server within the deadline. Throws `store_unavailable`. */
  async call<T>(command: () => Promise<T>, late?: (answer: T) => void): Promise<T> {
    const reason = this.#closed ? 'it is closed' : this.reason;
    if (reason !== undefined) throw storeIsAway(reason);
    try {
      await this.#connected();
      return await this.#inTime(command, late);
    } catch (thrown) {
      throw this.#failed(thrown);
    }
  }

  /** Stops probes and calls. Waits for the answers to calls in progress, unless the server is unavailable. */
  async close(): Promise<void> {
    const { connection } = this.parts;
    this.#closed = true;
    this.#cancelProbe?.();
    this.#unlisten();
    if (connection.isReady && this.reason === undefined) {
      await this.#inTime(() => connection.close(true)).catch(() => undefined);
    }
    await connection.close(false);
  }

  #failed(thrown: unknown): XPayAuthError {
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    const fault = faultOf(thrown);
    if (fault !== undefined) {
      this.#warn(fault === NO_RIGHT ? missingRight(this.parts.prefix) : WRONG_INDEX_KEY);
      return storeIsAway(fault);
    }
    const [code] = REJECTS_WRITES.exec(message) ?? [];
    if (code !== undefined) {
      this.#warn(`Redis refuses writes (${code}). Operations that need a write continue without the store.`);
      return storeIsAway(`it refuses writes (${code})`);
    }
    const reason = reasonOf(thrown);
    this.#leave(reason);
    return storeIsAway(reason);
  }

  /** Warns once. */
  #warn(message: string): void {
    if (!this.#warned.has(message)) this.parts.notify({ type: 'warning', message });
    this.#warned.add(message);
  }

  /**
   * Waits until the first connection is open. After a connection was lost, callers do not wait, because the server then counts as
   * unavailable.
   */
  async #connected(): Promise<void> {
    if (this.parts.connection.isReady) return;
    // All calls share one wait, because Node warns of a leak if an emitter has more than ten listeners.
    this.#connecting ??= this.#connect().finally(() => (this.#connecting = undefined));
    await this.#connecting;
  }

  async #connect(): Promise<void> {
    const { connection, connectTimeoutMs } = this.parts;
    connection.open();
    let unlisten: (() => void) | undefined;
    const ready = new Promise<void>((resolve, reject) => {
      const lost = (): void => reject(new Error(this.#lastError ?? 'no connection'));
      unlisten = connection.listen({ ready: resolve, lost, failed: () => undefined });
    });
    await this.#inTime(() => ready, undefined, connectTimeoutMs).finally(() => unlisten?.());
  }

  #inTime<T>(run: () => Promise<T>, late?: (answer: T) => void, ms = this.parts.commandTimeoutMs): Promise<T> {
    return deadline({ clock: this.parts.clock, ms, late, error: () => new Error(`no answer within ${ms} ms`) }, run);
  }

  #leave(reason: string): void {
    if (this.#closed || this.reason !== undefined) return;
    this.reason = reason;
    this.parts.notify({ type: 'away', reason });
    if (reason === IS_REPLICA) this.#reconnect();
    this.#probeLater();
  }

  #probeLater(): void {
    this.#cancelProbe?.();
    this.#cancelProbe = this.parts.clock.setTimer(() => {
      // The `ready` event of the new connection sends the next probe.
      if (this.reason === IS_REPLICA && this.parts.connection.isReady) this.#reconnect();
      else void this.#probe();
    }, PROBE_EVERY_MS);
  }

  /**
   * Closes the connection and connects again. The new connection may reach the new primary, because DNS, a proxy or Sentinel may
   * now point to it.
   */
  #reconnect(): void {
    this.parts.connection.reconnect();
    this.parts.onReconnect();
  }

  async #probe(): Promise<void> {
    if (this.#closed) return;
    const reason = await this.#whyAway();
    const wasAway = this.reason !== undefined;
    if (reason !== undefined && !wasAway) return this.#leave(reason);
    if (reason !== undefined && this.#closed) return;
    this.reason = reason;
    if (reason !== undefined) return this.#probeLater();
    this.#lastError = undefined;
    this.#cancelProbe?.();
    if (wasAway) this.parts.notify({ type: 'back' });
    void this.#inspect();
  }

  /** Returns why the server is unavailable, or `undefined` if it is available. Probes with a write, because a replica answers PING. */
  async #whyAway(): Promise<string | undefined> {
    const { connection, probeKey } = this.parts;
    if (!connection.isReady) {
      connection.open();
      return this.#lastError ?? 'not connected';
    }
    try {
      await this.#inTime(() => this.#evaluate(PROBE, [probeKey], []));
      return undefined;
    } catch (thrown) {
      const message = thrown instanceof Error ? thrown.message : '';
      return REJECTS_WRITES.test(message) || faultOf(thrown) !== undefined ? undefined : reasonOf(thrown);
    }
  }

  /** Warns if the server evicts entries when its memory is full, because it may then delete sessions and revocations. */
  async #inspect(): Promise<void> {
    // Some hosted servers refuse INFO.
    const info = await this.parts.connection.memoryInfo().catch(() => '');
    const policy = /maxmemory_policy:(\S+)/.exec(info)?.[1] ?? 'noeviction';
    if (policy === 'noeviction') return;
    this.#warn(
      `Redis has maxmemory-policy ${policy} and may delete sessions and revocations when its memory is full. Set noeviction.`,
    );
  }

  /** Runs a script, by its hash if the server has cached it. */
  async #evaluate({ sha, text }: Script, keys: readonly string[], args: ScriptArgs): Promise<unknown> {
    const { connection } = this.parts;
    const texts = args.map(String);
    try {
      return await connection.evalSha(sha, keys, texts);
    } catch (thrown) {
      if (!(thrown instanceof Error) || !thrown.message.startsWith('NOSCRIPT')) throw thrown;
      return connection.eval(text, keys, texts);
    }
  }
}
