import { LRUCache } from 'lru-cache';

/** Times are on the monotonic clock. */
interface Refused {
  /** When the upstream refused them last. */
  readonly refusedAt: number;
  /** When they last cost an attempt. */
  readonly countedAt: number;
}

/** Refused credentials that are remembered at once; beyond it the least recent make room, and are asked and counted again. */
const MOST_REFUSED = 1_000;

/**
 * Once in so many ms the same refused credentials cost an attempt. A forgotten job with an old password says the same thing
 * all day: it guesses nothing, and must not use up the attempts of the person whose name it carries.
 */
const COUNTED_ONCE_IN_MS = 3_600_000;

/** What the upstream refused, by the digest of the whole credentials, apart from what it accepted: garbage evicts garbage. */
export class NegativeCache {
  readonly #byKey = new LRUCache<string, Refused>({ max: MOST_REFUSED });

  /** @param periodMs how long the upstream is not asked again */
  constructor(private readonly periodMs: number) {}

  /** Whether the upstream refused these so lately that it need not be asked. */
  has(key: string, now: number): boolean {
    const refused = this.#byKey.get(key);
    return refused !== undefined && now - refused.refusedAt < this.periodMs;
  }

  /** Remembers a refusal. `true` when it is to be counted: the same one has not been lately. */
  add(key: string, now: number): boolean {
    return this.#put(key, now, now);
  }

  /** As {@link add}, for credentials that the upstream answered without judging them: they are not refused for it. */
  addUnjudged(key: string, now: number): boolean {
    return this.#put(key, this.#byKey.get(key)?.refusedAt ?? -Infinity, now);
  }

  #put(key: string, refusedAt: number, now: number): boolean {
    const before = this.#byKey.get(key);
    const counts = before === undefined || now - before.countedAt >= COUNTED_ONCE_IN_MS;
    this.#byKey.set(key, { refusedAt, countedAt: counts ? now : before.countedAt });
    return counts;
  }
}
