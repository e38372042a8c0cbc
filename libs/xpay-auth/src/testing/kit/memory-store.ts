import { createHash, randomBytes } from 'node:crypto';
import { SleepAwareClock, systemClock } from '../../async/system-clock.js';
import { lengthPrefixed } from '../../core/credentials.js';
import { storeIsAway } from '../../core/errors.js';
import type { Clock } from '../../core/clock.js';
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
} from '../../core/store.js';

interface Kept {
  readonly generation: number;
  /** The value, or `undefined` if the entry was discarded. */
  readonly value: string | undefined;
  /** End of the lifetime on the monotonic clock. */
  readonly until: number;
}

/** An item of a list: the keys of its entries. */
interface Item {
  readonly key: string;
  readonly entries: readonly string[];
}

interface List {
  items: Item[];
  /** End of the lifetime on the monotonic clock. */
  readonly until: number;
}

/** A window in which attempts are counted. It begins with its first count. */
interface Window {
  count: number;
  readonly id: string;
  /** End on the monotonic clock. */
  readonly until: number;
}

interface Log {
  epoch: string;
  newest: number;
  records: LogRecord[];
}

/**
 * A {@link Store} in the memory of this process, for tests in which several instances run in one process. It shares nothing
 * with other processes. {@link goAway} simulates an outage.
 */
export class MemoryStore implements Store {
  readonly #entries = new Map<string, Kept>();
  readonly #lists = new Map<string, List>();
  readonly #leases = new Map<string, { readonly owner: symbol; readonly until: number }>();
  readonly #generations = new Map<string, number>();
  readonly #windows = new Map<string, Window>();
  #opened = 0;
  readonly #logs = new Map<string, Log>();
  readonly #listeners = new Map<string, Set<(message: string) => void>>();
  readonly #notified = new Set<(notice: StoreNotice) => void>();
  readonly #clock: Clock;
  #reason: string | undefined;

  /**
   * Creates an empty store. Entries and leases expire by the monotonic clock of `clock`, which includes the time during which the
   * machine slept.
   */
  constructor(clock: Clock = systemClock) {
    this.#clock = new SleepAwareClock(clock);
  }

  /** Makes every call fail with `store_unavailable` until {@link comeBack}. */
  goAway(reason = 'simulated by the test'): void {
    this.#reason = reason;
    this.#notified.forEach((listener) => listener({ type: 'away', reason }));
  }

  /** Ends the outage. Entries written before it are still there. */
  comeBack(): void {
    this.#reason = undefined;
    this.#notified.forEach((listener) => listener({ type: 'back' }));
  }

  /** Deletes everything, as `FLUSHALL` does. */
  flush(): void {
    for (const table of [this.#entries, this.#lists, this.#leases, this.#generations, this.#windows, this.#logs])
      table.clear();
  }

  indexOf(text: string): string {
    return createHash('sha256').update(text).digest('base64url');
  }

  async read(name: EntryName): Promise<Entry | undefined> {
    this.#assertReady();
    const kept = this.#kept(keyOf(name));
    if (kept?.value === undefined) return undefined;
    const { value, generation, until } = kept;
    return { value, generation, remainingMs: until - this.#clock.monotonic() };
  }

  async write(name: EntryName, { value, generation, lifeMs }: NewEntry): Promise<boolean> {
    this.#assertReady();
    const key = keyOf(name);
    if ((this.#kept(key)?.generation ?? -Infinity) >= generation) return false;
    this.#entries.set(key, { value, generation, until: this.#clock.monotonic() + lifeMs });
    return true;
  }

  async discard(name: EntryName, generation: number, keepMs: number): Promise<void> {
    this.#assertReady();
    const key = keyOf(name);
    const kept = this.#kept(key);
    if (kept !== undefined && kept.generation > generation) return;
    const earlier = kept?.value === undefined ? kept?.until : undefined;
    const until = Math.max(earlier ?? 0, this.#clock.monotonic() + keepMs);
    this.#entries.set(key, { value: undefined, generation, until });
  }

  async enlist(list: EntryName, entries: readonly EntryName[], most: number, keepMs: number): Promise<void> {
    this.#assertReady();
    const now = this.#clock.monotonic();
    const item = itemOf(entries);
    const known = this.#lists.get(keyOf(list));
    const earlier = known === undefined || known.until <= now ? [] : known.items;
    const items = [...earlier.filter(({ key }) => key !== item.key), item];
    for (const { entries: oldest } of items.splice(0, Math.max(0, items.length - most))) {
      oldest.forEach((name) => this.#entries.delete(name));
    }
    this.#lists.set(keyOf(list), { items, until: now + keepMs });
  }

  async delist(list: EntryName, entries: readonly EntryName[]): Promise<void> {
    this.#assertReady();
    const { key } = itemOf(entries);
    const known = this.#lists.get(keyOf(list));
    if (known !== undefined) known.items = known.items.filter((item) => item.key !== key);
  }

  async acquire(name: EntryName, leaseMs: number): Promise<Lease | Held> {
    this.#assertReady();
    const key = keyOf(name);
    const now = this.#clock.monotonic();
    const held = this.#leases.get(key);
    if (held !== undefined && held.until > now) return { kind: 'held', remainingMs: held.until - now };
    const owner = Symbol('owner');
    this.#leases.set(key, { owner, until: now + leaseMs });
    const last = Math.max(this.#generations.get(key) ?? 0, this.#kept(key)?.generation ?? 0);
    const generation = Math.max(last + 1, Math.floor(this.#clock.now()));
    this.#generations.set(key, generation);
    const release = async (): Promise<void> => {
      if (this.#leases.get(key)?.owner === owner) this.#leases.delete(key);
    };
    return { kind: 'acquired', generation, release };
  }

  async count(id: string, windowMs: number): Promise<Count> {
    this.#assertReady();
    const now = this.#clock.monotonic();
    const known = this.#windows.get(id);
    const isOpen = known !== undefined && known.until > now;
    const window = isOpen ? known : { count: 0, id: String(++this.#opened), until: now + windowMs };
    window.count++;
    this.#windows.set(id, window);
    return { count: window.count, remainingMs: window.until - now, window: window.id };
  }

  async uncount(id: string, window: string): Promise<void> {
    this.#assertReady();
    const open = this.#windows.get(id);
    if (open?.id === window && --open.count <= 0) this.#windows.delete(id);
  }

  async append(log: string, { index, value }: { readonly index: string; readonly value: string }): Promise<LogPage> {
    this.#assertReady();
    const found = this.#log(log);
    found.records = [...found.records, { position: ++found.newest, index, value }].slice(-LONGEST_LOG);
    return pageOf(found, found.newest);
  }

  async readLog(log: string, after: number): Promise<LogPage> {
    this.#assertReady();
    return pageOf(this.#log(log), after);
  }

  async renewEpoch(log: string, lostEpoch: string): Promise<void> {
    this.#assertReady();
    if (this.#log(log).epoch === lostEpoch) this.#logs.delete(log);
  }

  async publish(topic: string, message: string): Promise<void> {
    this.#assertReady();
    this.#listeners.get(topic)?.forEach((listener) => queueMicrotask(() => listener(message)));
  }

  subscribe(topic: string, listener: (message: string) => void): () => void {
    const listeners = this.#listeners.get(topic) ?? new Set();
    this.#listeners.set(topic, listeners.add(listener));
    return () => void listeners.delete(listener);
  }

  status(): StoreStatus {
    return { state: this.#reason === undefined ? 'ready' : 'away', reason: this.#reason, unreadable: 0 };
  }

  onNotice(listener: (notice: StoreNotice) => void): () => void {
    this.#notified.add(listener);
    return () => void this.#notified.delete(listener);
  }

  async close(): Promise<void> {}

  #assertReady(): void {
    if (this.#reason !== undefined) throw storeIsAway(this.#reason);
  }

  #kept(key: string): Kept | undefined {
    const kept = this.#entries.get(key);
    return kept !== undefined && kept.until > this.#clock.monotonic() ? kept : undefined;
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

function itemOf(entries: readonly EntryName[]): Item {
  const keys = entries.map(keyOf);
  return { key: lengthPrefixed(keys), entries: keys };
}

function pageOf({ epoch, newest, records }: Log, after: number): LogPage {
  const oldest = newest - records.length + 1;
  return { epoch, newest, oldest, records: records.filter(({ position }) => position > after) };
}
