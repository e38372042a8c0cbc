import { LRUCache } from 'lru-cache';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';

/** So many failures within so long a time. */
export interface Limit {
  /** Failed attempts. */
  readonly attempts: number;
  /** Ms, from the first failure. At most 2³¹−1, the longest that Node's timers know. */
  readonly windowMs: number;
}

/** One attempt, taken from one counter. */
export interface Spent {
  /** Ms until the next attempt may be made; 0 when this one may. */
  readonly waitMs: number;
  /** Gives it back, if its window is still open. Never rejects. */
  refund(): Promise<void>;
}

/** One counter for each key. */
export interface Limiter {
  /** That of its option: `perUserAndAddress`, `perAddress` or `perUser`. */
  readonly name: string;
  /** Counts one attempt, also one that may not be made. */
  spend(key: string): Promise<Spent>;
}

/** So many keys a counter holds; the least recently counted make room. */
const MOST_KEYS = 50_000;

/** rate-limiter-flexible's memory limiter, which by itself never lets go of a key before its time. */
export class BoundedLimiter implements Limiter {
  readonly #limiter: RateLimiterMemory;
  /** Of each key the window that is open, by number. */
  readonly #windowOf: LRUCache<string, number>;
  #windows = 0;

  constructor(
    readonly name: string,
    limit: Limit,
    mostKeys = MOST_KEYS,
  ) {
    this.#limiter = new RateLimiterMemory({ points: limit.attempts, duration: limit.windowMs / 1_000 });
    this.#windowOf = new LRUCache({
      max: mostKeys,
      dispose: (_, key, reason) => {
        if (reason !== 'set') void this.#limiter.delete(key);
      },
    });
  }

  /** Keys that hold a count. */
  get size(): number {
    return this.#windowOf.size;
  }

  async spend(key: string): Promise<Spent> {
    try {
      const { isFirstInDuration } = await this.#limiter.consume(key);
      if (isFirstInDuration) this.#windowOf.set(key, ++this.#windows);
      return this.#spent(key, 0);
    } catch (refused) {
      if (!(refused instanceof RateLimiterRes)) throw refused;
      return this.#spent(key, Math.max(1, refused.msBeforeNext));
    }
  }

  #spent(key: string, waitMs: number): Spent {
    const window = this.#windowOf.get(key);
    return {
      waitMs,
      refund: async () => {
        // What is given back after its window has closed is no credit in the next one.
        if (window === undefined || this.#windowOf.peek(key) !== window) return;
        const { consumedPoints } = await this.#limiter.reward(key);
        // Callers who never fail take no room.
        if (consumedPoints <= 0) this.#windowOf.delete(key);
      },
    };
  }
}
