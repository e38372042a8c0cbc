/**
 * A store in Redis, for several instances of an app. Needs the peer `ioredis`, or a client of the peer `redis` (node-redis).
 * @module nestjs-xpay-auth/redis
 */
export { redisStore } from './stores/redis.store.js';
export type { NodeRedisClient } from './stores/node-redis-connection.js';
export type { RedisStoreOptions } from './stores/redis-options.js';
export type { EncryptionKey, EncryptionKeys } from './stores/key-ring.js';
