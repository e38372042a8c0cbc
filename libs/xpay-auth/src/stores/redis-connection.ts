import { Cluster, type ClusterNode, type ClusterOptions, Redis, type RedisOptions } from 'ioredis';
import type { Clock } from '../core/clock.js';
import { XPayAuthError } from '../core/errors.js';
import type { EncryptionKeys } from './key-ring.js';

/** Where the Redis is, and the keys. Exactly one of `client`, `url` and `cluster`. */
export interface RedisStoreOptions {
  /** A connection of yours, ioredis' `Redis` or `Cluster`; it stays yours to close. */
  client?: Redis | Cluster;
  /** Such as `redis://127.0.0.1:6379`, or `rediss://user:password@redis.example.test:6380/0`. */
  url?: string;
  /** Nodes of a Redis Cluster. */
  cluster?: readonly ClusterNode[];
  /** ioredis' own options, for a connection that the store opens: TLS, say. With `cluster`: `redisOptions`. */
  redisOptions?: RedisOptions;
  /**
   * Keys for what is stored: the first seals, all open. `[{ id, key }]`, or `id:base64,id:base64`. 32 random bytes each.
   */
  encryptionKeys: EncryptionKeys;
  /**
   * Names what must be found after keys were rotated; never changes while a session lives. @default the key called
   * `index`, or the last one of `encryptionKeys`
   */
  indexKey?: string | Uint8Array;
  /**
   * What all names begin with: apps of one prefix and one set of keys share everything. @default 'xpay:'
   */
  prefix?: string;
  /**
   * Ms until a connection must stand. @default 2_000
   */
  connectTimeoutMs?: number;
  /**
   * Ms until an answer must be there; beyond it the server counts as away. @default 1_000
   */
  commandTimeoutMs?: number;
  /**
   * Where the time comes from. @default the system's
   */
  clock?: Clock;
}

/** The client of the options, or one of our own that neither queues nor repeats commands. Throws `configuration`. */
export function connect(
  { client, url, cluster, redisOptions }: RedisStoreOptions,
  connectTimeoutMs: number,
): Redis | Cluster {
  if ([client, url, cluster].filter((way) => way !== undefined).length !== 1) {
    throw new XPayAuthError('configuration', 'redisStore: expected exactly one of client, url and cluster');
  }
  if (client !== undefined) return client;
  const own: RedisOptions = {
    connectTimeout: connectTimeoutMs,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: backoff,
    ...redisOptions,
  };
  if (url !== undefined) return new Redis(addressOf(url), own);
  const options: ClusterOptions = { redisOptions: own, enableOfflineQueue: false, clusterRetryStrategy: backoff };
  return new Cluster([...(cluster ?? [])], options);
}

/** A second connection, which waits for the server however long it is away: nobody waits for it. */
export function duplicate(client: Redis | Cluster): Redis | Cluster {
  return client instanceof Cluster
    ? client.duplicate([], { enableOfflineQueue: true, lazyConnect: false })
    : client.duplicate({ enableOfflineQueue: true, maxRetriesPerRequest: null, lazyConnect: false });
}

function addressOf(url: string): string {
  if (/^rediss?:\/\/[^/]/.test(url) && URL.canParse(url)) return url;
  // It may hold a password, so it is not shown.
  throw new XPayAuthError(
    'configuration',
    'redisStore url (XPAY_REDIS_URL): expected redis:// or rediss:// and a host',
  );
}

function backoff(times: number): number {
  return Math.min(50 * 2 ** Math.min(times, 10), 1_000);
}
