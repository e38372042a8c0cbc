import { LRUCache } from 'lru-cache';
import { randomBytes } from 'node:crypto';
import type {
  Count,
  Entry,
  EntryName,
  Held,
  Lease,
  LogPage,
  NewEntry,
  Store,
  StoreNotice,
  StoreStatus,
} from '../core/store.js';
import { Codec, type Place } from './codec.js';
import { keyRing } from './key-ring.js';
import { RedisChannels } from './redis-channels.js';
import { RedisLink } from './redis-link.js';
import { RedisLogs } from './redis-log.js';
import { type RedisStoreOptions, connect, redisStoreSettings } from './redis-options.js';
import * as scripts from './redis-scripts.js';

/** Maximum number of names whose newest generation is kept. Beyond the maximum, the least recently used names are evicted. */
const MAX_NAMES = 20_000;

/**
 * A {@link Store} in Redis 7 or later, Valkey, or a Redis Cluster.
 *
 * @throws XPayAuthError `configuration` for an unknown option or an invalid value, if a key is missing, too short or not random, or
 *   if the options do not set exactly one of `client`, `url` and `cluster`.
 */
export function redisStore(options: RedisStoreOptions): Store {
  return new RedisStore(options);
}

class RedisStore implements Store {
  readonly deadlineMs: number;
  readonly #codec: Codec;
  readonly #prefix: string;
  readonly #link: RedisLink;
  readonly #logs: RedisLogs;
  readonly #seen = new SeenGenerations();
  readonly #notified = new Set<(notice: StoreNotice) => void>();
  readonly #channels: RedisChannels;
  #unreadable = 0;
  #hasWarnedOf010 = false;
  /** Notices that were emitted before the first listener was added. */
  #missed: StoreNotice[] = [];

  constructor(options: RedisStoreOptions) {
    const settings = redisStoreSettings(options);
    const { connectTimeoutMs, commandTimeoutMs, clock, prefix, encryptionKeys, indexKey } = settings;
    this.deadlineMs = connectTimeoutMs + commandTimeoutMs;
    this.#prefix = prefix;
    this.#codec = new Codec(keyRing(encryptionKeys, indexKey), prefix);
    const connection = connect(settings);
    const open = (channel: string, sealed: string): string | undefined =>
      this.#open({ kind: 'notice', name: channel, generation: 0 }, sealed);
    this.#channels = new RedisChannels({ connection, open, onRejected: (thrown) => this.#link.deniedChannel(thrown) });
    this.#link = new RedisLink({
      connection,
      prefix,
      probeKey: this.#key(this.indexOf('probe'), 'p'),
      onReconnect: () => this.#channels.reconnect(),
      clock,
      connectTimeoutMs,
      commandTimeoutMs,
      notify: (notice) => this.#notify(notice),
    });
    this.#logs = new RedisLogs({
      link: this.#link,
      codec: this.#codec,
      keyOf: (name, part) => this.#key(name, part),
      onUnreadable: () => this.#unreadable++,
      onRecordOf010: () => this.#warnOf010(),
    });
  }

  indexOf(text: string): string {
    return this.#codec.indexOf(text);
  }

  async read(entry: EntryName): Promise<Entry | undefined> {
    const name = this.#codec.nameOf(entry);
    const answer = await this.#link.run(scripts.READ, [this.#key(name, 'e')], []);
    if (!Array.isArray(answer)) return undefined;
    const [generation, sealed, remainingMs] = [Number(answer[0]), String(answer[1]), Number(answer[2])];
    if (sealed === '' || remainingMs <= 0) return undefined;
    const value = this.#open({ kind: entry.kind, name, generation }, sealed);
    if (value === undefined) return undefined;
    if (this.#seen.accepts(name, generation)) return { value, generation, remainingMs };
    this.#unreadable++;
    return undefined;
  }

  async write(entry: EntryName, { value, generation, lifeMs }: NewEntry): Promise<boolean> {
    const name = this.#codec.nameOf(entry);
    const sealed = this.#codec.seal({ kind: entry.kind, name, generation }, value);
    const args = [generation, sealed, Math.max(1, Math.floor(lifeMs))];
    return Number(await this.#link.run(scripts.WRITE, [this.#key(name, 'e')], args)) === 1;
  }

  async discard(entry: EntryName, generation: number, keepMs: number): Promise<void> {
    const name = this.#codec.nameOf(entry);
    this.#seen.end(name, generation);
    await this.#link.run(scripts.DISCARD, [this.#key(name, 'e')], [generation, Math.max(1, Math.floor(keepMs))]);
  }

  async acquire(entry: EntryName, leaseMs: number): Promise<Lease | Held> {
    const name = this.#codec.nameOf(entry);
    const keys = [this.#key(name, 'l'), this.#key(name, 'g'), this.#key(name, 'e')];
    const owner = randomBytes(16).toString('base64url');
    const release = (): Promise<void> => this.#link.send(scripts.RELEASE, [this.#key(name, 'l')], [owner]);
    // If the reply arrives after the deadline, the command may still have acquired the lease. The lease is released, because
    // this instance does not use it.
    const args = [owner, Math.ceil(leaseMs)];
    const answer = (await this.#link.run(scripts.ACQUIRE, keys, args, () => void release())) as unknown[];
    if (Number(answer[0]) === 1) return { kind: 'acquired', generation: Number(answer[1]), release };
    return { kind: 'held', remainingMs: Math.max(0, Number(answer[1])) };
  }

  async count(id: string, windowMs: number): Promise<Count> {
    const answer = (await this.#link.run(scripts.COUNT, [this.#key(this.indexOf(id), 'c')], [windowMs])) as unknown[];
    const [count, leftMs, window, by010] = answer;
    return {
      count: Number(count),
      remainingMs: Math.max(1, Number(leftMs)),
      window: String(window),
      by010: Number(by010),
    };
  }

  async uncount(id: string, window: string): Promise<void> {
    await this.#link.run(scripts.UNCOUNT, [this.#key(this.indexOf(id), 'c')], [window]);
  }

  async enlist(list: EntryName, entries: readonly EntryName[], most: number, keepMs: number): Promise<void> {
    const key = this.#key(this.#codec.nameOf(list), 's');
    const args = [this.#itemOf(entries), most, Math.max(1, Math.ceil(keepMs))];
    const excess = ((await this.#link.run(scripts.ENLIST, [key], args)) as unknown[]).map(String);
    if (excess.length === 0) return;
    const names = excess.flatMap((item) => item.split(' '));
    await Promise.all(names.map((name) => this.#link.run(scripts.DELETE, [this.#key(name, 'e')], [])));
    await this.#link.run(scripts.DELIST, [key], excess);
  }

  async delist(list: EntryName, entries: readonly EntryName[]): Promise<void> {
    await this.#link.run(scripts.DELIST, [this.#key(this.#codec.nameOf(list), 's')], [this.#itemOf(entries)]);
  }

  append(log: string, { index, value }: { readonly index: string; readonly value: string }): Promise<LogPage> {
    return this.#logs.append(log, index, value);
  }

  readLog(log: string, after: number): Promise<LogPage> {
    return this.#logs.read(log, after);
  }

  renewEpoch(log: string, lostEpoch: string): Promise<void> {
    return this.#logs.renewEpoch(log, lostEpoch);
  }

  async publish(topic: string, message: string): Promise<void> {
    const channel = this.#channelOf(topic);
    const sealed = this.#codec.seal({ kind: 'notice', name: channel, generation: 0 }, message);
    await this.#link.publish(channel, sealed);
  }

  subscribe(topic: string, listener: (message: string) => void): () => void {
    return this.#channels.listen(this.#channelOf(topic), listener);
  }

  status(): StoreStatus {
    const { reason, fault } = this.#link;
    const unreadable = this.#unreadable;
    if (reason !== undefined) return { state: 'away', reason, unreadable };
    return { state: fault === undefined ? 'ready' : 'misconfigured', reason: fault, unreadable };
  }

  onNotice(listener: (notice: StoreNotice) => void): () => void {
    this.#notified.add(listener);
    this.#missed.splice(0).forEach((notice) => listener(notice));
    return () => void this.#notified.delete(listener);
  }

  async close(): Promise<void> {
    this.#channels.close();
    await this.#link.close();
  }

  /**
   * Returns an item of a list. The item contains only the names of the entries, because anyone who can read the server can read
   * the item.
   */
  #itemOf(entries: readonly EntryName[]): string {
    return entries.map((entry) => this.#codec.nameOf(entry)).join(' ');
  }

  /** The braces place all Redis keys of one name in one slot of a cluster. */
  #key(name: string, part: string): string {
    return `${this.#prefix}{${name}}:${part}`;
  }

  #channelOf(topic: string): string {
    return `${this.#prefix}${this.indexOf(`topic ${topic}`)}`;
  }

  /** Returns the decrypted value. If the value cannot be decrypted, counts it as unreadable and returns `undefined`. */
  #open(place: Place, sealed: string): string | undefined {
    const value = this.#codec.open(place, sealed);
    if (value === undefined) this.#unreadable++;
    return value;
  }

  #warnOf010(): void {
    if (this.#hasWarnedOf010) return;
    this.#hasWarnedOf010 = true;
    const message =
      `The revocations in Redis (prefix ${this.#prefix}) include records of version 0.1.0. While instances of 0.1.0 run, do not ` +
      'call revokeUser() or revokeAll() often, because 0.1.0 then rejects callers with 401 (docs/scale.md, Update from 0.1.0). ' +
      'After the update, rotate the encryption key (docs/security.md, Shared store).';
    this.#notify({ type: 'warning', message });
  }

  #notify(notice: StoreNotice): void {
    if (this.#notified.size === 0) this.#missed = [...this.#missed, notice].slice(-10);
    this.#notified.forEach((listener) => listener(notice));
  }
}

/**
 * The newest generation that this process has seen under each name. An entry with an earlier generation is refused, because it
 * comes from a restored copy or from a replica that is behind. A process that has just started accepts any generation.
 */
class SeenGenerations {
  readonly #newest = new LRUCache<string, number>({ max: MAX_NAMES });

  /** Returns `false` if a newer generation was seen. Otherwise records this generation and returns `true`. */
  accepts(name: string, generation: number): boolean {
    if (generation < (this.#newest.get(name) ?? -Infinity)) return false;
    this.#newest.set(name, generation);
    return true;
  }

  /** From now on, refuses this generation and all earlier generations. */
  end(name: string, generation: number): void {
    this.#newest.set(name, Math.max(generation + 0.5, this.#newest.get(name) ?? -Infinity));
  }
}
