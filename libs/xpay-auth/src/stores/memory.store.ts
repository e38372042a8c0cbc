import { createHash, randomBytes } from 'node:crypto';
import { type Clock, systemClock } from '../core/clock.js';
import { SleepAwareClock } from '../core/sleep-aware-clock.js';
import { lengthPrefixed } from '../core/cache-key.js';
import { XPayAuthError } from '../core/errors.js';
import {
  type Count,
  type Entry,
  type EntryName,
  type Held,
  LONGEST_LOG,
  type Lease,
  type LogPage,
  type LogRecord,
  type NewEntry,
  type Store,
  type StoreNotice,
  type StoreStatus,
} from '../core/store.js';

interface Kept {
  readonly generation: number;
  /** `undefined`: discarded. */
  readonly value: string | undefined;
  /** On the monotonic clock. */
  readonly until: number;
}

interface Log {
  epoch: string;
  newest: number;
  records: LogRecord[];
}

/**
 * A {@link Store} in this process's memory. It shares nothing with another process, so it is of use where several
 * instances live in one: in tests. {@link goAway} plays an outage.
 */
export class MemoryStore implements Store {
  readonly #entries = new Map<string, Kept>();
  readonly #leases = new Map<string, { readonly owner: symbol; readonly until: number }>();
  readonly #generations = new Map<string, number>();
  readonly #counters = new Map<string, { count: number; readonly window: string; readonly until: number }>();
  readonly #logs = new Map<string, Log>();
  readonly #listeners = new Map<string, Set<(message: string) => void>>();
  readonly #notified = new Set<(notice: StoreNotice) => void>();
  #reason: string | undefined;
  #windows = 0;

  private readonly clock: Clock;

  /** Empty; entries and leases live by this clock, time asleep included. */
  constructor(clock: Clock = systemClock) {
    this.clock = new SleepAwareClock(clock);
  }

  /** From now on every call fails, until {@link comeBack}. */
  goAway(reason = 'the test said so'): void {
    this.#reason = reason;
    this.#notified.forEach((listener) => listener({ type: 'away', reason }));
  }

  /** Ends the outage; what was written before it is still there. */
  comeBack(): void {
    this.#reason = undefined;
    this.#notified.forEach((listener) => listener({ type: 'back' }));
  }

  /** Loses everything, as `FLUSHALL` does. */
  flush(): void {
    for (const table of [this.#entries, this.#leases, this.#generations, this.#counters, this.#logs]) table.clear();
  }

  indexOf(text: string): string {
    return createHash('sha256').update(text).digest('base64url');
  }

  async read(name: EntryName): Promise<Entry | undefined> {
    await this.#here();
    const kept = this.#kept(keyOf(name));
    if (kept?.value === undefined) return undefined;
    const { value, generation, until } = kept;
    return { value, generation, remainingMs: until - this.clock.monotonic() };
  }

  async write(name: EntryName, { value, generation, lifeMs }: NewEntry): Promise<boolean> {
    await this.#here();
    const key = keyOf(name);
    if ((this.#kept(key)?.generation ?? -Infinity) >= generation) return false;
    this.#entries.set(key, { value, generation, until: this.clock.monotonic() + lifeMs });
    return true;
  }

  async discard(name: EntryName, generation: number, keepMs: number): Promise<void> {
    await this.#here();
    const key = keyOf(name);
    const kept = this.#kept(key);
    if (kept !== undefined && kept.generation > generation) return;
    const until = Math.max(kept?.until ?? 0, this.clock.monotonic() + keepMs);
    this.#entries.set(key, { value: undefined, generation, until });
  }

  async acquire(name: EntryName, leaseMs: number): Promise<Lease | Held> {
    await this.#here();
    const key = keyOf(name);
    const now = this.clock.monotonic();
    const held = this.#leases.get(key);
    if (held !== undefined && held.until > now) return { kind: 'held', remainingMs: held.until - now };
    const owner = Symbol('owner');
    this.#leases.set(key, { owner, until: now + leaseMs });
    const last = Math.max(this.#generations.get(key) ?? 0, this.#kept(key)?.generation ?? 0);
    const generation = Math.max(last + 1, Math.floor(this.clock.now()));
    this.#generations.set(key, generation);
    const release = (): Promise<void> => {
      if (this.#leases.get(key)?.owner === owner) this.#leases.delete(key);
      return Promise.resolve();
    };
    return { kind: 'acquired', generation, release };
  }

  async count(id: string, windowMs: number): Promise<Count> {
    await this.#here();
    const now = this.clock.monotonic();
    let counter = this.#counters.get(id);
    if (counter === undefined || counter.until <= now) {
      counter = { count: 0, window: String(++this.#windows), until: now + windowMs };
      this.#counters.set(id, counter);
    }
    counter.count++;
    return { count: counter.count, remainingMs: counter.until - now, window: counter.window };
  }

  async uncount(id: string, window: string): Promise<void> {
    await this.#here();
    const counter = this.#counters.get(id);
    if (counter?.window !== window) return;
    if (--counter.count <= 0) this.#counters.delete(id);
  }

  async append(log: string, { index, value }: { readonly index: string; readonly value: string }): Promise<LogPage> {
    await this.#here();
    const found = this.#log(log);
    found.records = [...found.records, { position: ++found.newest, index, value }].slice(-LONGEST_LOG);
    return pageOf(found, found.newest);
  }

  async readLog(log: string, after: number): Promise<LogPage> {
    await this.#here();
    return pageOf(this.#log(log), after);
  }

  async renewEpoch(log: string, lostEpoch: string): Promise<void> {
    await this.#here();
    if (this.#log(log).epoch === lostEpoch) this.#logs.delete(log);
  }

  async publish(topic: string, message: string): Promise<void> {
    await this.#here();
    this.#listeners.get(topic)?.forEach((listener) => queueMicrotask(() => listener(message)));
  }

  subscribe(topic: string, listener: (message: string) => void): () => void {
    const listeners = this.#listeners.get(topic) ?? new Set();
    this.#listeners.set(topic, listeners.add(listener));
    return () => {
      listeners.delete(listener);
    };
  }

  status(): StoreStatus {
    return { state: this.#reason === undefined ? 'ready' : 'away', reason: this.#reason, unreadable: 0 };
  }

  onNotice(listener: (notice: StoreNotice) => void): () => void {
    this.#notified.add(listener);
    return () => {
      this.#notified.delete(listener);
    };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #here(): Promise<void> {
    if (this.#reason === undefined) return Promise.resolve();
    return Promise.reject(
      new XPayAuthError('store_unavailable', `The shared store is unavailable: ${this.#reason}`, {
        retryAfterMs: 1_000,
      }),
    );
  }

  #kept(key: string): Kept | undefined {
    const kept = this.#entries.get(key);
    return kept !== undefined && kept.until > this.clock.monotonic() ? kept : undefined;
  }

  #log(log: string): Log {
    const found = this.#logs.get(log) ?? { epoch: randomBytes(9).toString('base64url'), newest: 0, records: [] };
    this.#logs.set(log, found);
    return found;
  }
}

function keyOf({ kind, id }: EntryName): string {
  return lengthPrefixed([kind, id]);
}

function pageOf({ epoch, newest, records }: Log, after: number): LogPage {
  const oldest = newest - records.length + 1;
  return { epoch, newest, oldest, records: records.filter(({ position }) => position > after) };
}
