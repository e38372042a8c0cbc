import { LRUCache } from 'lru-cache';
import type { Clock } from '../core/clock.js';
import type { Store } from '../core/store.js';

/** Pairs of user and address that are trusted at once; the least recent make room. */
const MOST_TRUSTED = 50_000;
/** Ms for which a success makes an address trusted for the user who was authenticated from it: 30 days. */
const TRUSTED_MS = 30 * 86_400_000;
/** Ms after which a further success is written to the store again: a day, well before the entry there expires. */
const REPUBLISH_AFTER_MS = 86_400_000;

/** Addresses from which a user was authenticated lately. Shared through the store, if there is one, in the background. */
export class TrustedAddresses {
  /** When a user was last authenticated from an address, on the monotonic clock. */
  readonly #here = new LRUCache<string, number>({ max: MOST_TRUSTED });
  readonly #published = new LRUCache<string, number>({ max: MOST_TRUSTED });

  constructor(
    private readonly clock: Clock,
    private readonly store?: Store,
  ) {}

  add(key: string): void {
    const now = this.clock.monotonic();
    this.#here.set(key, now);
    if (this.store === undefined || now - (this.#published.get(key) ?? -Infinity) < REPUBLISH_AFTER_MS) return;
    this.#published.set(key, now);
    // Generations of one pair only have to grow from day to day.
    const entry = { value: '', generation: Math.floor(this.clock.now()), lifeMs: TRUSTED_MS };
    void this.store.write({ kind: 'welcome', id: key }, entry).catch(() => this.#published.delete(key));
  }

  /** The store may have lost everything: the next success of each pair is written again. */
  republish(): void {
    this.#published.clear();
  }

  /** Throws `store_unavailable` when only the store could tell. */
  async has(key: string): Promise<boolean> {
    const trustedAt = this.#here.get(key);
    if (trustedAt !== undefined) return this.clock.monotonic() - trustedAt < TRUSTED_MS;
    if (this.store === undefined) return false;
    return (await this.store.read({ kind: 'welcome', id: key })) !== undefined;
  }
}
