import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fromForeignError } from '../core/errors.js';

/**
 * Returns the package of the app. It is loaded on demand, because an app whose client is node-redis has none, and without
 * `import()`, because `redisStore()` returns at once. Throws `configuration`.
 */
export function loadIoRedis(): typeof import('ioredis') {
  const places = [process.argv[1], join(process.cwd(), 'package.json')];
  let failure: unknown;
  for (const place of places) {
    try {
      if (place !== undefined) return createRequire(place)('ioredis') as typeof import('ioredis');
    } catch (thrown) {
      failure = thrown;
    }
  }
  const message =
    'redisStore: the package "ioredis" cannot be loaded. Run: npm install ioredis; or pass a `client` of ioredis or node-redis';
  throw fromForeignError(failure, 'configuration', message);
}
