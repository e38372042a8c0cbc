import type { Clock } from '../../core/clock.js';
import { XPayAuthError } from '../../core/errors.js';
import type { Store } from '../../core/store.js';
import { type ReadVariable, assertNotAlone } from './environment.js';

/** Opens a store. */
export type OpenStore = (clock: Clock) => Store | Promise<Store>;

/** Opens the Redis that the environment names; `undefined` without one. Throws `configuration` for keys without a URL. */
export function storeFromEnvironment(prefix: string, read: ReadVariable): OpenStore | undefined {
  assertNotAlone(prefix, 'ENCRYPTION_KEYS', 'REDIS_URL', read);
  const url = read(`${prefix}REDIS_URL`);
  if (!url) return undefined;
  const encryptionKeys = read(`${prefix}ENCRYPTION_KEYS`) ?? '';
  return async (clock) => {
    const { redisStore } = await importRedis(prefix);
    // Without keys its error message says how to make one.
    return redisStore({ url, encryptionKeys, clock });
  };
}

/** `ioredis` is an optional peer dependency. */
async function importRedis(prefix: string): Promise<typeof import('../../stores/redis.store.js')> {
  try {
    return await import('../../stores/redis.store.js');
  } catch (thrown) {
    if (!(thrown instanceof Error) || !/ioredis/.test(thrown.message)) throw thrown;
    const message = `${prefix}REDIS_URL is set, but the package "ioredis" is not installed. Run: npm install ioredis`;
    throw new XPayAuthError('configuration', message);
  }
}
