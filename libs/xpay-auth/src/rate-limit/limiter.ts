import type { Clock } from '../core/clock.js';
import type { Count, Store } from '../core/store.js';

/** The maximum number of failures within a time. */
export interface Limit {
  /** Failed attempts. */
  readonly attempts: number;
  /** Ms, from the first failure. At most 2³¹−1. */
  readonly windowMs: number;
}

/** One attempt, counted for one key. */
export interface Spent {
  /** Ms until the next attempt may be made; 0 when this one may. */
  readonly waitMs: number;
  /** Gives it back, if its window is still open. Never rejects. */
  refund(): Promise<void>;
}

export interface LimiterParts {
  readonly clock: Clock;
  /** The store in which all instances count together. */
  readonly store?: Store | undefined;
}

/** Keys with a count in this process. Beyond it the least recently counted ones are dropped. */
const MOST_KEYS = 50_000;
/** Refunds and unanswered counts that are kept for an unavailable store. Beyond it counts stay until their window closes. */
const MOST_DEFERRED = 10_000;

/**
 * Counts attempts by key, in the store if there is one. While the store is unavailable or full, each instance counts alone. A
 * refund that did not reach the store, and a count that the store may have made without an answer, are given back when the
 * store answers again, so that its outage locks no user out.
 */
export class Limiter {
  readonly #here: FixedWindowCounter;
  #deferred: { readonly id: string; readonly window: string }[] = [];
  /** Calls of `count` that the store has not answered, by counter. */
  readonly #unanswered = new Map<string, number>();

  /** @param name that of its option: `perUserAndAddress`, `perAddress` or `perUser` */
  constructor(
    readonly name: string,
    private readonly limit: Limit,
    private readonly parts: LimiterParts,
    maxKeys = MOST_KEYS,
  ) {
    this.#here = new FixedWindowCounter(maxKeys);
  }

  /** Keys that hold a count in this process. */
  get size(): number {
    return this.#here.size;
  }

  /** Counts one attempt, also one that may not be made. */
  async spend(key: string): Promise<Spent> {
    const { store, clock } = this.parts;
    const shared = store && (await this.#spendShared(store, `attempts ${this.name} ${key}`));
    if (shared !== undefined) return shared;
    const { count, remainingMs, window } = this.#here.count(key, this.limit.windowMs, clock.monotonic());
    return { waitMs: this.#waitMs(count, remainingMs), refund: async () => this.#here.uncount(key, window) };
  }

  async #spendShared(store: Store, id: string): Promise<Spent | undefined> {
    await Promise.all(this.#deferred.splice(0).map((one) => this.#uncount(store, one.id, one.window)));
    try {
      const { count, remainingMs, window } = await store.count(id, this.limit.windowMs);
      const inDoubt = Math.min(this.#unanswered.get(id) ?? 0, count - 1);
      this.#unanswered.delete(id);
      for (let i = 0; i < inDoubt; i++) void this.#uncount(store, id, window);
      return { waitMs: this.#waitMs(count - inDoubt, remainingMs), refund: () => this.#uncount(store, id, window) };
    } catch {
      if (this.#unanswered.size < MOST_DEFERRED) this.#unanswered.set(id, (this.#unanswered.get(id) ?? 0) + 1);
      return undefined;
    }
  }

  #waitMs(count: number, remainingMs: number): number {
    return count > this.limit.attempts ? Math.ceil(remainingMs) : 0;
  }

  async #uncount(store: Store, id: string, window: string): Promise<void> {
    try {
      await store.uncount(id, window);
    } catch {
      if (this.#deferred.length < MOST_DEFERRED) this.#deferred.push({ id, window });
    }
  }
}

interface Window {
  count: number;
  readonly id: string;
  readonly until: number;
}

/** Counts in fixed windows, one for each key. A window opens with its first count. Instants are on the monotonic clock. */
export class FixedWindowCounter {
  /** The key that was counted least recently comes first. */
  readonly #windows = new Map<string, Window>();
  #opened = 0;

  /** @param maxKeys keys that hold a count; beyond it the least recently counted one is dropped */
  constructor(private readonly maxKeys = Infinity) {}

  /** Keys that hold a count. */
  get size(): number {
    return this.#windows.size;
  }

  /** Adds one to the open window of this key, or opens one. */
  count(key: string, windowMs: number, now: number): Count {
    const open = this.#windows.get(key);
    const isOpen = open !== undefined && open.until > now;
    const window = isOpen ? open : { count: 0, id: String(++this.#opened), until: now + windowMs };
    window.count++;
    this.#windows.delete(key);
    this.#windows.set(key, window);
    const [oldest] = this.#windows.keys();
    if (oldest !== undefined && this.#windows.size > this.maxKeys) this.#windows.delete(oldest);
    return { count: window.count, remainingMs: window.until - now, window: window.id };
  }

  /** Takes one off again, if this is still the window of the key. A key without a count takes no room. */
  uncount(key: string, id: string): void {
    const window = this.#windows.get(key);
    if (window?.id === id && --window.count <= 0) this.#windows.delete(key);
  }

  clear(): void {
    this.#windows.clear();
  }
}
