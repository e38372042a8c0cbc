// The entry point `nestjs-xpay-auth/redis`: asks for the peer `ioredis`.

export { redisStore } from './stores/redis.store.js';
export type { RedisStoreOptions } from './stores/redis-connection.js';
export type { EncryptionKey, EncryptionKeys } from './stores/key-ring.js';
