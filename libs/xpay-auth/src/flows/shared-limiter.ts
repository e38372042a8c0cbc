import type { Store } from '../core/store.js';
import type { BoundedLimiter, Limit, Limiter, Spent } from './bounded-limiter.js';

/**
 * Counts for all instances at once. While the store is away, or full, this process counts for itself: a guesser then has a
 * budget on each instance, which is more than nothing.
 */
export class SharedLimiter implements Limiter {
  constructor(
    readonly name: string,
    private readonly limit: Limit,
    private readonly store: Store,
    private readonly insurance: BoundedLimiter,
  ) {}

  async spend(key: string): Promise<Spent> {
    const id = `attempts ${this.name} ${key}`;
    try {
      const { count, remainingMs, window } = await this.store.count(id, this.limit.windowMs);
      return {
        waitMs: count > this.limit.attempts ? remainingMs : 0,
        // What cannot be given back stays counted until its window closes, which errs on the safe side.
        refund: () => this.store.uncount(id, window).catch(() => undefined),
      };
    } catch {
      return this.insurance.spend(key);
    }
  }
}
