import type { Count, Store } from '../core/store.js';
import type { Limit } from './limiter.js';

/** Refunds and unanswered counts that are kept for an unavailable store. Beyond it counts stay until their window closes. */
const MOST_DEFERRED = 10_000;

/**
 * The calls of one limiter to the store. None of them rejects. A refund that did not reach the store, and a count that the
 * store may have made without an answer, are given back when the store answers again, so that its outage locks no user out.
 */
export class SharedCounter {
  #deferred: { readonly id: string; readonly window: string }[] = [];
  /** Calls of `count` that the store has not answered, by counter. */
  readonly #unanswered = new Map<string, number>();

  constructor(
    private readonly store: Store,
    private readonly limit: Limit,
  ) {}

  /** Counts one attempt. Returns `undefined` while the store is unavailable. */
  async count(id: string): Promise<Count | undefined> {
    await Promise.all(this.#deferred.splice(0).map((one) => this.uncount(one.id, one.window)));
    try {
      const { count, remainingMs, window } = await this.store.count(id, this.limit.windowMs);
      const inDoubt = Math.min(this.#unanswered.get(id) ?? 0, count - 1);
      this.#unanswered.delete(id);
      for (let i = 0; i < inDoubt; i++) void this.uncount(id, window);
      return { count: count - inDoubt, remainingMs, window };
    } catch {
      if (this.#unanswered.size < MOST_DEFERRED) this.#unanswered.set(id, (this.#unanswered.get(id) ?? 0) + 1);
      return undefined;
    }
  }

  async uncount(id: string, window: string): Promise<void> {
    try {
      await this.store.uncount(id, window);
    } catch {
      if (this.#deferred.length < MOST_DEFERRED) this.#deferred.push({ id, window });
    }
  }

  /**
   * Counts a failure once more, because the count of attempts does not show which of them have failed. Returns the failures in
   * this window; 0 if the store is unavailable. The instance whose failure uses up the limit writes that down for the others.
   *
   * Calls that fail are not repeated. The attempt stays counted, so no guess is gained: other instances only let
   * callers wait where this one rejects them.
   */
  async countFailure(id: string, window: string, remainingMs: number): Promise<number> {
    const lifeMs = Math.ceil(remainingMs);
    if (lifeMs <= 0) return 0;
    try {
      const { count } = await this.store.count(`failed ${id} ${window}`, lifeMs);
      if (count >= this.limit.attempts) {
        await this.store.write(lockoutOf(id, window), { value: '', generation: 1, lifeMs });
      }
      return count;
    } catch {
      return 0;
    }
  }

  /** Whether failures, on any instance, have used up the limit. A read, because counts of several readers would add up. */
  async isLockedOut(id: string, window: string): Promise<boolean> {
    const lockout = await this.store.read(lockoutOf(id, window)).catch(() => undefined);
    return lockout !== undefined;
  }
}

/** The entry that exists while a limit is used up. Its name has the window, so that it never applies to a later one. */
function lockoutOf(id: string, window: string) {
  return { kind: 'pause', id: `${id} ${window}` } as const;
}
