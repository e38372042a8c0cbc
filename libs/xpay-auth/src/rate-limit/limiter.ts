import type { Clock } from '../core/clock.js';
import type { Store } from '../core/store.js';
import { type AttemptWindow, AttemptWindows } from './attempt-windows.js';
import { SharedCounter } from './shared-counter.js';

/** The maximum number of failures within a time. */
export interface Limit {
  /** Failed attempts. */
  readonly attempts: number;
  /** Ms, from the first failure. At most 2³¹−1. */
  readonly windowMs: number;
}

/** One attempt, reserved for one key. Call one of the two methods, once. Neither rejects. */
export interface Reservation {
  /** Gives it back, if its window is still open. */
  refund(): Promise<void>;
  /** Keeps it counted, as a failure. */
  failed(): Promise<void>;
}

export interface LimiterParts {
  readonly clock: Clock;
  /** The store in which all instances count together. */
  readonly store?: Store | undefined;
}

/** Keys in each table of this process. Beyond it the least recently used ones are dropped. */
const MOST_KEYS = 50_000;

/**
 * Limits failures by key, in the store if there is one. While the store is unavailable or full, each instance counts alone, on
 * top of the failures that it knows from the store.
 */
export class Limiter {
  readonly #shared: SharedCounter | undefined;
  /** Attempts that the store has counted, as far as this process knows them. */
  readonly #mirror: AttemptWindows;
  /** Attempts that only this process has counted. */
  readonly #alone: AttemptWindows;

  /** @param name that of its option: `perUserAndAddress`, `perAddress` or `perUser` */
  constructor(
    readonly name: string,
    private readonly limit: Limit,
    private readonly parts: LimiterParts,
    maxKeys = MOST_KEYS,
  ) {
    this.#shared = parts.store && new SharedCounter(parts.store, limit);
    this.#mirror = new AttemptWindows(maxKeys);
    this.#alone = new AttemptWindows(maxKeys);
  }

  /** Windows that this process holds. */
  get size(): number {
    return this.#mirror.size + this.#alone.size;
  }

  /** Returns the ms until failures known to this process no longer use up the limit; 0 while they do not. Calls no store. */
  lockedOutMs(key: string): number {
    const windows = this.#windowsOf(key).toSorted((one, other) => one.until - other.until);
    let failed = windows.reduce((sum, window) => sum + window.failed, 0);
    let waitMs = 0;
    for (const window of windows) {
      if (failed < this.limit.attempts) break;
      failed -= window.failed;
      waitMs = Math.ceil(window.until - this.#now());
    }
    return waitMs;
  }

  /**
   * Reserves one attempt. Returns `undefined` if the limit is reached: by failures if {@link lockedOutMs} is not 0 then,
   * otherwise only because reservations are still open.
   */
  async reserve(key: string): Promise<Reservation | undefined> {
    if (this.#isFull(key)) return undefined;
    const shared = this.#shared && (await this.#reserveShared(this.#shared, key));
    if (shared !== undefined) return shared === 'full' ? undefined : shared;
    // Other reservations may have been made while the store did not answer.
    return this.#isFull(key) ? undefined : this.reserveAlone(key);
  }

  /** Reserves one attempt in this process only, whatever the limit. */
  reserveAlone(key: string): Reservation {
    const window = this.#alone.open(key, this.#now(), this.#now() + this.limit.windowMs);
    window.open++;
    return {
      refund: async () => this.#alone.settle(key, window, false),
      failed: async () => this.#alone.settle(key, window, true),
    };
  }

  /** Returns `undefined` while the store is unavailable. */
  async #reserveShared(shared: SharedCounter, key: string): Promise<Reservation | 'full' | undefined> {
    const id = `attempts ${this.name} ${key}`;
    const counted = await shared.count(id);
    if (counted === undefined) return undefined;
    const window = this.#mirrored(key, counted.window, counted.remainingMs);
    window.open++;
    const refund = (): Promise<void> => {
      this.#mirror.settle(key, window, false);
      return shared.uncount(id, window.id);
    };
    if (counted.count + this.#countedAlone(key) > this.limit.attempts) {
      if (await shared.isLockedOut(id, window.id)) window.failed = Math.max(window.failed, this.limit.attempts);
      await refund();
      return 'full';
    }
    const failed = async (): Promise<void> => {
      this.#mirror.settle(key, window, true);
      const failures = await shared.countFailure(id, window.id, window.until - this.#now());
      window.failed = Math.max(window.failed, failures);
    };
    return { refund, failed };
  }

  /** Returns the copy of a window of the store. The failures of one that the store has lost are still counted. */
  #mirrored(key: string, id: string, remainingMs: number): AttemptWindow {
    const now = this.#now();
    const before = this.#mirror.at(key, now);
    if (before !== undefined && before.id !== id && before.failed > 0) {
      this.#alone.open(key, now, before.until).failed += before.failed;
    }
    return this.#mirror.open(key, now, now + remainingMs, id);
  }

  #countedAlone(key: string): number {
    const { open, failed } = this.#alone.at(key, this.#now()) ?? { open: 0, failed: 0 };
    return open + failed;
  }

  /** Whether the attempts that this process knows reach the limit. */
  #isFull(key: string): boolean {
    const attempts = this.#windowsOf(key).reduce((sum, { open, failed }) => sum + open + failed, 0);
    return attempts >= this.limit.attempts;
  }

  #windowsOf(key: string): AttemptWindow[] {
    const now = this.#now();
    return [this.#mirror.at(key, now), this.#alone.at(key, now)].filter((window) => window !== undefined);
  }

  #now(): number {
    return this.parts.clock.monotonic();
  }
}
