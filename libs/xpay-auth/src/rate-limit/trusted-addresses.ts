import { LRUCache } from 'lru-cache';
import type { Clock } from '../core/clock.js';
import type { Store } from '../core/store.js';

/** So many pairs of user and address are remembered as welcome; the least recent make room. */
const MOST_WELCOME = 50_000;
/** Ms for which a success makes an address welcome to the user who came from it: 30 days. */
const WELCOME_MS = 30 * 86_400_000;
/** The other instances are told again after so many ms: a day, well before they would forget. */
const TOLD_AGAIN_AFTER_MS = 86_400_000;

/** From which addresses a user came in lately. Shared where there is a store; nobody is kept waiting for it but who needs it. */
export class TrustedAddresses {
  /** When a user last came in from an address, on the monotonic clock. */
  readonly #here = new LRUCache<string, number>({ max: MOST_WELCOME });
  readonly #told = new LRUCache<string, number>({ max: MOST_WELCOME });

  constructor(
    private readonly clock: Clock,
    private readonly store?: Store,
  ) {}

  add(key: string): void {
    const now = this.clock.monotonic();
    this.#here.set(key, now);
    if (this.store === undefined || now - (this.#told.get(key) ?? -Infinity) < TOLD_AGAIN_AFTER_MS) return;
    this.#told.set(key, now);
    // Generations of one pair only have to grow from day to day.
    const entry = { value: '', generation: Math.floor(this.clock.now()), lifeMs: WELCOME_MS };
    void this.store.write({ kind: 'welcome', id: key }, entry).catch(() => this.#told.delete(key));
  }

  /** The store may have lost it all: each success is told once more. */
  republish(): void {
    this.#told.clear();
  }

  /** Throws `store_unavailable` when nobody can say. */
  async has(key: string): Promise<boolean> {
    const cameAt = this.#here.get(key);
    if (cameAt !== undefined) return this.clock.monotonic() - cameAt < WELCOME_MS;
    if (this.store === undefined) return false;
    return (await this.store.read({ kind: 'welcome', id: key })) !== undefined;
  }
}
