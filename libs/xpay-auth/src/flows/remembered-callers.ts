import { LRUCache } from 'lru-cache';
import type { Principal } from '../core/principal.js';

/** A caller whose credentials the upstream accepted. Times are on the monotonic clock. */
export interface RememberedCaller {
  readonly principal: Principal;
  /** When the upstream was asked. The reader judges whether that is recent enough. */
  readonly checkedAt: number;
  /** By how many ms the wall clock was ahead of the monotonic one at that moment. */
  readonly wallAheadMs: number;
  /** From here on the upstream's own word has run out. */
  readonly endsAt: number;
  /** When the next renewal behind the caller may begin. */
  renewFrom: number;
}

/**
 * The callers of the verification period: bounded, the least recently seen make room. One user has one entry: when the
 * upstream accepts another secret of the same user, what it accepted before is forgotten.
 */
export class RememberedCallers {
  readonly #byKey: LRUCache<string, RememberedCaller>;
  readonly #keyOfUser = new Map<string, string>();

  constructor(maxEntries: number) {
    this.#byKey = new LRUCache<string, RememberedCaller>({
      max: maxEntries,
      dispose: ({ principal }, key) => {
        if (this.#keyOfUser.get(principal.username) === key) this.#keyOfUser.delete(principal.username);
      },
    });
  }

  get(key: string): RememberedCaller | undefined {
    return this.#byKey.get(key);
  }

  set(key: string, caller: RememberedCaller): void {
    const { username } = caller.principal;
    this.keepOnly(username, key);
    // An entry under this key may belong to the name that the upstream had for the same user until now.
    this.#byKey.delete(key);
    this.#byKey.set(key, caller);
    this.#keyOfUser.set(username, key);
  }

  /** Forgets what is remembered of a user under any other key. */
  keepOnly(username: string, key: string): void {
    const other = this.#keyOfUser.get(username);
    if (other !== undefined && other !== key) this.#byKey.delete(other);
  }

  /** The user's entry, under whichever key it is. */
  ofUser(username: string): RememberedCaller | undefined {
    const key = this.#keyOfUser.get(username);
    return key === undefined ? undefined : this.#byKey.peek(key);
  }

  forget(key: string): void {
    this.#byKey.delete(key);
  }

  forgetUser(username: string): void {
    const key = this.#keyOfUser.get(username);
    if (key !== undefined) this.#byKey.delete(key);
  }

  forgetAll(): void {
    this.#byKey.clear();
    this.#keyOfUser.clear();
  }

  get size(): number {
    return this.#byKey.size;
  }
}
