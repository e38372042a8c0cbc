import type { Store } from '../core/store.js';
import type { BoundedLimiter, Limit, Limiter, Spent } from './memory-limiter.js';

/** So much is remembered of what the store has counted and must give back; beyond it counts stay until their window closes. */
const MOST_OWED = 10_000;

/**
 * Counts for all instances at once. While the store is away, or full, this process counts for itself: a guesser then has a
 * budget on each instance, which is more than nothing. What could not be given back, or was perhaps counted before the store
 * fell silent, is given back when it answers again: its trouble must not lock an owner out.
 */
export class SharedLimiter implements Limiter {
  #owed: { readonly id: string; readonly window: string }[] = [];
  /** How often the store was asked to count, and has not answered, by counter. */
  readonly #unanswered = new Map<string, number>();

  constructor(
    readonly name: string,
    private readonly limit: Limit,
    private readonly store: Store,
    private readonly insurance: BoundedLimiter,
  ) {}

  async spend(key: string): Promise<Spent> {
    const id = `attempts ${this.name} ${key}`;
    await Promise.all(this.#owed.splice(0).map((one) => this.#giveBack(one.id, one.window)));
    try {
      const { count, remainingMs, window } = await this.store.count(id, this.limit.windowMs);
      const inDoubt = Math.min(this.#unanswered.get(id) ?? 0, count - 1);
      this.#unanswered.delete(id);
      for (let i = 0; i < inDoubt; i++) void this.#giveBack(id, window);
      return {
        waitMs: count - inDoubt > this.limit.attempts ? remainingMs : 0,
        refund: () => this.#giveBack(id, window),
      };
    } catch {
      if (this.#unanswered.size < MOST_OWED) this.#unanswered.set(id, (this.#unanswered.get(id) ?? 0) + 1);
      return this.insurance.spend(key);
    }
  }

  async #giveBack(id: string, window: string): Promise<void> {
    try {
      await this.store.uncount(id, window);
    } catch {
      if (this.#owed.length < MOST_OWED) this.#owed.push({ id, window });
    }
  }
}
