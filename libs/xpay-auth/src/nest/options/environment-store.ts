import type { Clock } from '../../core/clock.js';
import { XPayAuthError } from '../../core/errors.js';
import type { Store } from '../../core/store.js';
import type { ReadVariable } from './environment.js';

/** Opens a store. */
export type OpenStore = (clock: Clock) => Store | Promise<Store>;

/** The Redis of the environment, if it names one. Throws `configuration` where it says half of it. */
export function storeFromEnvironment(prefix: string, read: ReadVariable): OpenStore | undefined {
  const url = read(`${prefix}REDIS_URL`) || undefined;
  const encryptionKeys = read(`${prefix}ENCRYPTION_KEYS`) || undefined;
  if (url === undefined) {
    if (encryptionKeys === undefined) return undefined;
    throw new XPayAuthError(
      'configuration',
      `The environment has ${prefix}ENCRYPTION_KEYS but no ${prefix}REDIS_URL. Set both, or neither.`,
    );
  }
  return async (clock) => {
    const { redisStore } = await importRedis(prefix);
    // Without keys it says which, and how to make one.
    return redisStore({ url, encryptionKeys: encryptionKeys ?? '', clock });
  };
}

/** `ioredis` is an optional peer: who has no Redis need not install it. */
async function importRedis(prefix: string): Promise<typeof import('../../stores/redis.store.js')> {
  try {
    return await import('../../stores/redis.store.js');
  } catch (thrown) {
    if (!(thrown instanceof Error) || !/ioredis/.test(thrown.message)) throw thrown;
    throw new XPayAuthError(
      'configuration',
      `${prefix}REDIS_URL is set, but the package "ioredis" is not installed. Run: npm install ioredis`,
    );
  }
}
