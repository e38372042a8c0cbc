import type { Clock } from '../core/clock.js';
import type { Count, Store } from '../core/store.js';

/** The maximum number of failures within a time. */
export interface Limit {
  /** Maximum number of failed attempts. */
  readonly attempts: number;
  /** Length of the window in ms, from the first failure. At most 2³¹−1. */
  readonly windowMs: number;
}

/**
 * One reserved attempt of one key. Call exactly one of the two methods, and call it once. The methods never reject. `refund`
 * returns a promise only if it calls the store.
 */
export interface Reservation {
  /** Subtracts the attempt if its window is still open. */
  refund(): Promise<void> | undefined;
  /** Counts the attempt as a failure. */
  failed(): Promise<void>;
}

export interface AttemptCounterParts {
  readonly clock: Clock;
  /** The store in which all instances count together. `undefined` if this process counts alone. */
  readonly store?: Store | undefined;
}

/** The attempts of one key in one window that this process knows. */
interface AttemptWindow {
  /** The store's identifier of the window; `undefined` if only this process counts in it. */
  readonly id: string | undefined;
  /** End of the window on the monotonic clock. */
  readonly until: number;
  /** Number of reservations of this process whose result is not known yet. */
  open: number;
  /** Number of attempts that are known to have failed. */
  failed: number;
}

/** Maximum number of keys in this process. Beyond the maximum, the least recently used keys are evicted. */
const MOST_KEYS = 50_000;
/**
 * Maximum number of refunds, and of unanswered counts, that wait for an unavailable store. Beyond the maximum, attempts stay
 * counted in the store until their window ends.
 */
const MOST_DEFERRED = 10_000;

/**
 * Limits the failures of each key, in the store if there is one. While the store is unavailable or full, each instance counts
 * alone, and adds its counts to the failures that it has read from the store. If the store loses a window, the failures of the
 * window stay counted on this instance.
 */
export class AttemptCounter {
  /** The windows of each key. The least recently used key comes first. */
  readonly #windows = new Map<string, readonly AttemptWindow[]>();
  /** Refunds that could not be sent to the store. */
  #deferred: { readonly key: string; readonly window: string }[] = [];
  /** Number of counts without an answer of the store, by key. The store may have counted these attempts. */
  readonly #unanswered = new Map<string, number>();

  /** @param name name of the option: `perUserAndAddress`, `perAddress` or `perUser` */
  constructor(
    readonly name: string,
    private readonly limit: Limit,
    private readonly parts: AttemptCounterParts,
    private readonly maxKeys = MOST_KEYS,
  ) {}

  /** Number of keys with attempts in this process. */
  get size(): number {
    return this.#windows.size;
  }

  /**
   * Returns the ms until the failures that this process knows no longer use up the limit. Returns 0 if they do not use up the
   * limit now. Never calls the store.
   */
  lockedOutMs(key: string): number {
    const windows = this.#windowsOf(key);
    let failed = 0;
    for (const window of windows) failed += window.failed;
    if (failed < this.limit.attempts) return 0;
    let waitMs = 0;
    for (const window of windows.toSorted((one, other) => one.until - other.until)) {
      if (failed < this.limit.attempts) break;
      failed -= window.failed;
      waitMs = Math.ceil(window.until - this.#now());
    }
    return waitMs;
  }

  /**
   * Reserves one attempt. If the limit is reached, returns the ms until failures no longer use up the limit, or 0 if the limit is
   * reached only because other reservations are still open.
   */
  reserve(key: string): Reservation | number | Promise<Reservation | number> {
    if (this.#attemptsOf(key) >= this.limit.attempts) return this.lockedOutMs(key);
    const { store } = this.parts;
    return store === undefined ? this.reserveAlone(key) : this.#reserveInStore(key, store);
  }

  /** Reserves one attempt in this process only, even if the limit is reached. */
  reserveAlone(key: string): Reservation {
    return this.#reserveIn(key, this.#open(key, this.limit.windowMs));
  }

  async #reserveInStore(key: string, store: Store): Promise<Reservation | number> {
    const counted = await this.#count(key, store);
    // The limit is checked again, because other attempts may have been reserved while the store did not answer.
    if (counted === undefined) {
      return this.#attemptsOf(key) >= this.limit.attempts ? this.lockedOutMs(key) : this.reserveAlone(key);
    }
    const window = this.#open(key, counted.remainingMs, counted.window);
    const notInStore = this.#attemptsOf(key, window);
    const reservation = this.#reserveIn(key, window);
    if (counted.count + notInStore <= this.limit.attempts) return reservation;
    if (await this.#isUsedUp(key, counted.window)) window.failed = Math.max(window.failed, this.limit.attempts);
    await reservation.refund();
    // Some of the attempts that version 0.1.0 has counted may still be open there, so they reject only this attempt.
    const isUsedUp = window.failed + (counted.by010 ?? 0) >= this.limit.attempts;
    return Math.max(this.lockedOutMs(key), isUsedUp ? counted.remainingMs : 0);
  }

  #reserveIn(key: string, window: AttemptWindow): Reservation {
    window.open++;
    return {
      refund: () => {
        this.#settle(key, window, false);
        return window.id === undefined ? undefined : this.#uncount(key, window.id);
      },
      failed: async () => {
        this.#settle(key, window, true);
        const failures = await this.#countFailure(key, window);
        window.failed = Math.max(window.failed, failures);
      },
    };
  }

  /** Returns the window with this identifier, and creates the window if this process does not know it. */
  #open(key: string, remainingMs: number, id?: string): AttemptWindow {
    const windows = this.#windowsOf(key);
    const known = windows.find((window) => window.id === id);
    const window = known ?? { id, until: this.#now() + remainingMs, open: 0, failed: 0 };
    this.#windows.delete(key);
    this.#windows.set(key, known === undefined ? [...windows, window] : windows);
    if (this.#windows.size > this.maxKeys) {
      const [oldest] = this.#windows.keys();
      if (oldest !== undefined) this.#windows.delete(oldest);
    }
    return window;
  }

  /** Ends a reservation in this window. A window without attempts is deleted. */
  #settle(key: string, window: AttemptWindow, hasFailed: boolean): void {
    window.open--;
    if (hasFailed) window.failed++;
    if (window.open > 0 || window.failed > 0) return;
    const others = this.#windowsOf(key).filter((other) => other !== window);
    if (others.length === 0) this.#windows.delete(key);
    else this.#windows.set(key, others);
  }

  /** Returns the number of attempts that this process knows, without the attempts in the window `without`. */
  #attemptsOf(key: string, without?: AttemptWindow): number {
    let attempts = 0;
    for (const window of this.#windowsOf(key)) if (window !== without) attempts += window.open + window.failed;
    return attempts;
  }

  /** Returns the open windows of this key. */
  #windowsOf(key: string): readonly AttemptWindow[] {
    const windows = this.#windows.get(key);
    if (windows === undefined) return [];
    const now = this.#now();
    return windows.some(({ until }) => until <= now) ? windows.filter(({ until }) => until > now) : windows;
  }

  /**
   * Counts one attempt in the store. Returns `undefined` if the store is unavailable. First refunds the attempts that the store
   * still counts because of an outage, so that an outage does not lock out a user.
   */
  async #count(key: string, store: Store): Promise<Count | undefined> {
    await Promise.all(this.#deferred.splice(0).map((one) => this.#uncount(one.key, one.window)));
    try {
      const counted = await store.count(this.#idOf(key), this.limit.windowMs);
      const inDoubt = Math.min(this.#unanswered.get(key) ?? 0, counted.count - 1);
      this.#unanswered.delete(key);
      for (let i = 0; i < inDoubt; i++) void this.#uncount(key, counted.window);
      return { ...counted, count: counted.count - inDoubt };
    } catch {
      if (this.#unanswered.size < MOST_DEFERRED) this.#unanswered.set(key, (this.#unanswered.get(key) ?? 0) + 1);
      return undefined;
    }
  }

  async #uncount(key: string, window: string): Promise<void> {
    try {
      await this.parts.store?.uncount(this.#idOf(key), window);
    } catch {
      if (this.#deferred.length < MOST_DEFERRED) this.#deferred.push({ key, window });
    }
  }

  /**
   * Counts a failure in a second counter of the store, because the counter of attempts does not show how many attempts have
   * failed. Returns the number of failures in this window, or 0 if the store does not count them. If this failure uses up the
   * limit, writes an entry from which other instances learn that the limit is used up.
   *
   * Calls that fail are not repeated. The attempt stays counted in any case, so an attacker gains no guess. Without the entry,
   * other instances let callers wait and do not reject them.
   */
  async #countFailure(key: string, { id, until }: AttemptWindow): Promise<number> {
    const { store } = this.parts;
    const lifeMs = Math.ceil(until - this.#now());
    if (store === undefined || id === undefined || lifeMs <= 0) return 0;
    try {
      const { count } = await store.count(`failed ${this.#idOf(key)} ${id}`, lifeMs);
      if (count >= this.limit.attempts) {
        await store.write(this.#lockoutOf(key, id), { value: '', generation: 1, lifeMs });
      }
      return count;
    } catch {
      return 0;
    }
  }

  /**
   * Whether failures on any instance have used up the limit. Reads an entry and does not count, because the counts of several
   * instances would add up.
   */
  async #isUsedUp(key: string, window: string): Promise<boolean> {
    const lockout = await this.parts.store?.read(this.#lockoutOf(key, window)).catch(() => undefined);
    return lockout !== undefined;
  }

  /**
   * Returns the name of the entry that exists while a limit is used up. The name contains the window, so that the entry never
   * applies to a later window.
   */
  #lockoutOf(key: string, window: string) {
    return { kind: 'pause', id: `${this.#idOf(key)} ${window}` } as const;
  }

  #idOf(key: string): string {
    return `attempts ${this.name} ${key}`;
  }

  #now(): number {
    return this.parts.clock.monotonic();
  }
}
