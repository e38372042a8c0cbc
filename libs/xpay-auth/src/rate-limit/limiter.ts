import type { Clock } from '../core/clock.js';
import type { Count, Store } from '../core/store.js';

/** The most failures within a time. */
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
  /** Where all instances count together. */
  readonly store?: Store | undefined;
}

/** Keys that hold a count in this process; the least recently counted make room. */
const MOST_KEYS = 50_000;
/** Refunds and unanswered counts kept for a store that is away; beyond it counts stay until their window closes. */
const MOST_DEFERRED = 10_000;

/**
 * Counts attempts by key, in the store if there is one. While the store is away or full, this process counts for itself: a
 * guesser then has a budget on each instance. A refund that did not reach the store, and a count that it may have made before
 * it fell silent, are given back when it answers again, so that its outage locks no owner out.
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
    const { store } = this.parts;
    if (store === undefined) return this.#spendHere(key);
    const id = `attempts ${this.name} ${key}`;
    await Promise.all(this.#deferred.splice(0).map((one) => this.#uncount(store, one.id, one.window)));
    try {
      const counted = await store.count(id, this.limit.windowMs);
      const inDoubt = Math.min(this.#unanswered.get(id) ?? 0, counted.count - 1);
      this.#unanswered.delete(id);
      for (let i = 0; i < inDoubt; i++) void this.#uncount(store, id, counted.window);
      return this.#spent(counted, inDoubt, () => this.#uncount(store, id, counted.window));
    } catch {
      if (this.#unanswered.size < MOST_DEFERRED) this.#unanswered.set(id, (this.#unanswered.get(id) ?? 0) + 1);
      return this.#spendHere(key);
    }
  }

  #spendHere(key: string): Spent {
    const counted = this.#here.count(key, this.limit.windowMs, this.parts.clock.monotonic());
    return this.#spent(counted, 0, async () => this.#here.uncount(key, counted.window));
  }

  #spent({ count, remainingMs }: Count, inDoubt: number, refund: () => Promise<void>): Spent {
    return { waitMs: count - inDoubt > this.limit.attempts ? Math.ceil(remainingMs) : 0, refund };
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
