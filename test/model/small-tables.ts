import { jest } from '@jest/globals';
import { LRUCache } from 'lru-cache';

/** Larger than any table in a model. */
const ENOUGH = 300;

/** A table with the size a model needs. A model creates thousands of tables, and most allocate all entries at once. */
class SmallTable extends LRUCache<object, object> {
  constructor(options: LRUCache.Options<object, object, unknown>) {
    super({ ...options, max: Math.min(options.max ?? ENOUGH, ENOUGH) });
  }
}

/** Call this before the library is imported. */
export function withSmallTables(): void {
  jest.unstable_mockModule('lru-cache', () => ({ LRUCache: SmallTable }));
}
