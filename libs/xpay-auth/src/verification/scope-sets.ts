import { LRUCache } from 'lru-cache';
import { lengthPrefixed } from '../core/cache-key.js';

/** Most apps have a handful; an upstream that invents one for each user costs no more than this. */
const MOST_SETS = 1_000;

/** The sets of scopes that callers hold: equal ones are one and the same array, which cannot be changed. */
export class ScopeSets {
  readonly #sets = new LRUCache<string, readonly string[]>({ max: MOST_SETS });

  intern(scopes: readonly string[]): readonly string[] {
    const key = lengthPrefixed(scopes);
    const known = this.#sets.get(key);
    if (known !== undefined) return known;
    const set = Object.isFrozen(scopes) ? scopes : Object.freeze([...scopes]);
    this.#sets.set(key, set);
    return set;
  }
}
