import { jest } from '@jest/globals';
import { LRUCache } from 'lru-cache';

/** More than any model puts into a table. */
const ENOUGH = 300;

/** A table with room for a model: making one for 100,000 sessions takes longer than everything that happens in it. */
class SmallTable extends LRUCache<object, object> {
  constructor(options: LRUCache.Options<object, object, unknown>) {
    super({ ...options, max: Math.min(options.max ?? ENOUGH, ENOUGH) });
  }
}

/** To be called before the library is imported. */
export function withSmallTables(): void {
  jest.unstable_mockModule('lru-cache', () => ({ LRUCache: SmallTable }));
}
