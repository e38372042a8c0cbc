/**
 * A store in Redis, for several instances of an app. Asks for the peer `ioredis`.
 * @module nestjs-xpay-auth/redis
 */
export { redisStore } from './stores/redis.store.js';
export type { RedisStoreOptions } from './stores/redis-options.js';
export type { EncryptionKey, EncryptionKeys } from './stores/key-ring.js';
