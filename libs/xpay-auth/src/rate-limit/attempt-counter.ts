import type { Clock } from '../core/clock.js';
import type { Count, Store } from '../core/store.js';

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

export interface AttemptCounterParts {
  readonly clock: Clock;
  /** The store in which all instances count together. */
  readonly store?: Store | undefined;
}

/** The attempts of one key within a fixed time, as far as this process knows them. */
interface AttemptWindow {
  /** The store's identifier of the window; `undefined` if only this process counts in it. */
  readonly id: string | undefined;
  /** When it closes, on the monotonic clock. */
  readonly until: number;
  /** Reservations of this process whose result is not known yet. */
  open: number;
  /** Attempts that are known to have failed. */
  failed: number;
}

/** Keys in this process. Beyond it the least recently used ones are dropped. */
const MOST_KEYS = 50_000;
/** Refunds and unanswered counts that are kept for an unavailable store. Beyond it counts stay until their window closes. */
const MOST_DEFERRED = 10_000;

/**
 * Limits failures by key, in the store if there is one. While the store is unavailable or full, each instance counts alone, on
 * top of the failures that it knows from the store. The failures of a window that the store has lost stay counted here.
 */
export class AttemptCounter {
  /** The key that was used least recently comes first. */
  readonly #windows = new Map<string, readonly AttemptWindow[]>();
  /** Refunds that have not reached the store. */
  #deferred: { readonly key: string; readonly window: string }[] = [];
  /** Counts that the store has not answered, by key. The store may have made them. */
  readonly #unanswered = new Map<string, number>();

  /** @param name that of its option: `perUserAndAddress`, `perAddress` or `perUser` */
  constructor(
    readonly name: string,
    private readonly limit: Limit,
    private readonly parts: AttemptCounterParts,
    private readonly maxKeys = MOST_KEYS,
  ) {}

  /** Keys with attempts in this process. */
  get size(): number {
    return this.#windows.size;
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
    if (this.#attemptsOf(key) >= this.limit.attempts) return undefined;
    const counted = await this.#count(key);
    // Other reservations may have been made while the store did not answer.
    if (counted === undefined) return this.#attemptsOf(key) >= this.limit.attempts ? undefined : this.reserveAlone(key);
    const window = this.#open(key, counted.remainingMs, counted.window);
    const notInStore = this.#attemptsOf(key, window);
    const reservation = this.#reserveIn(key, window);
    if (counted.count + notInStore <= this.limit.attempts) return reservation;
    if (await this.#isUsedUp(key, counted.window)) window.failed = Math.max(window.failed, this.limit.attempts);
    await reservation.refund();
    return undefined;
  }

  /** Reserves one attempt in this process only, whatever the limit. */
  reserveAlone(key: string): Reservation {
    return this.#reserveIn(key, this.#open(key, this.limit.windowMs));
  }

  #reserveIn(key: string, window: AttemptWindow): Reservation {
    window.open++;
    return {
      refund: async () => {
        this.#settle(key, window, false);
        if (window.id !== undefined) await this.#uncount(key, window.id);
      },
      failed: async () => {
        this.#settle(key, window, true);
        const failures = await this.#countFailure(key, window);
        window.failed = Math.max(window.failed, failures);
      },
    };
  }

  /** Returns the window with this identifier. Opens it if this process does not know it. */
  #open(key: string, remainingMs: number, id?: string): AttemptWindow {
    const windows = this.#windowsOf(key);
    const known = windows.find((window) => window.id === id);
    const window = known ?? { id, until: this.#now() + remainingMs, open: 0, failed: 0 };
    this.#windows.delete(key);
    this.#windows.set(key, known === undefined ? [...windows, window] : windows);
    const [oldest] = this.#windows.keys();
    if (oldest !== undefined && this.#windows.size > this.maxKeys) this.#windows.delete(oldest);
    return window;
  }

  /** Ends a reservation in this window. A window without attempts is dropped. */
  #settle(key: string, window: AttemptWindow, hasFailed: boolean): void {
    window.open--;
    if (hasFailed) window.failed++;
    if (window.open > 0 || window.failed > 0) return;
    const others = this.#windowsOf(key).filter((other) => other !== window);
    if (others.length === 0) this.#windows.delete(key);
    else this.#windows.set(key, others);
  }

  /** The attempts that this process knows, without those in this window. */
  #attemptsOf(key: string, without?: AttemptWindow): number {
    return this.#windowsOf(key)
      .filter((window) => window !== without)
      .reduce((sum, { open, failed }) => sum + open + failed, 0);
  }

  /** The windows of this key that are not closed. */
  #windowsOf(key: string): readonly AttemptWindow[] {
    const now = this.#now();
    return this.#windows.get(key)?.filter(({ until }) => until > now) ?? [];
  }

  /**
   * Counts one attempt in the store. Returns `undefined` without a store or while it is unavailable. Gives back first what an
   * outage has left counted in the store, so that no outage locks a user out.
   */
  async #count(key: string): Promise<Count | undefined> {
    const { store } = this.parts;
    if (store === undefined) return undefined;
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
   * Counts a failure once more, because the count of attempts does not show which of them have failed. Returns the failures in
   * this window; 0 if the store does not count them. The instance whose failure uses up the limit writes that down for the others.
   *
   * Calls that fail are not repeated. The attempt stays counted, so no guess is gained: other instances only let
   * callers wait where this one rejects them.
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

  /** Whether failures, on any instance, have used up the limit. A read, because counts of several readers would add up. */
  async #isUsedUp(key: string, window: string): Promise<boolean> {
    const lockout = await this.parts.store?.read(this.#lockoutOf(key, window)).catch(() => undefined);
    return lockout !== undefined;
  }

  /** The entry that exists while a limit is used up. Its name has the window, so that it never applies to a later one. */
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
