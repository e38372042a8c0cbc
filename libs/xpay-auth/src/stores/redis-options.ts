import type { Cluster, ClusterNode, ClusterOptions, Redis, RedisOptions } from 'ioredis';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { systemClock } from '../async/system-clock.js';
import type { Clock } from '../core/clock.js';
import { type XPayAuthError, configurationError, fromForeignError } from '../core/errors.js';
import { IoRedisConnection } from './ioredis-connection.js';
import type { EncryptionKeys } from './key-ring.js';
import { type NodeRedisClient, NodeRedisConnection } from './node-redis-connection.js';
import type { RedisConnection } from './redis-connection.js';

/** The default of {@link RedisStoreOptions.prefix}. */
export const DEFAULT_PREFIX = 'xpay:';

/** Options of `redisStore`. Exactly one of `client`, `url` and `cluster` is required. */
export interface RedisStoreOptions {
  /**
   * The Redis client of your app. The store uses a client of ioredis (`Redis` or `Cluster`) and never closes it. For a client of
   * node-redis (from `createClient`, `createCluster` or `createSentinel`), the store opens separate connections with the same
   * options.
   */
  client?: Redis | Cluster | NodeRedisClient;
  /** URL of a Redis server, such as `redis://127.0.0.1:6379` or `rediss://user:password@redis.example.test:6380/0`. */
  url?: string;
  /** Nodes of a Redis Cluster. */
  cluster?: readonly ClusterNode[];
  /**
   * Options of ioredis, such as TLS, for a connection that the store opens. With `cluster`, they are passed as the option
   * `redisOptions` of the cluster.
   */
  redisOptions?: RedisOptions;
  /**
   * Encryption keys of 32 random bytes each, as `[{ id, key }]` or as the text `id:base64,id:base64`. The first key encrypts, and
   * all keys can decrypt.
   */
  encryptionKeys: EncryptionKeys;
  /**
   * The index key, from which the store computes the names of entries. It must not change when keys are rotated, because sessions
   * and revocations could no longer be found.
   * A key called `index` in `encryptionKeys` must be the same key.
   * @default the key called `index`, or the last one of `encryptionKeys`
   */
  indexKey?: string | Uint8Array;
  /**
   * Prefix of all keys and channels in Redis. Apps with the same prefix and the same encryption keys share all data. @default
   * 'xpay:'
   */
  prefix?: string;
  /** Deadline for opening a connection, in ms, at most 2_147_483_647. @default 2_000 */
  connectTimeoutMs?: number;
  /** Deadline for a reply, in ms, at most 2_147_483_647. After the deadline, the server counts as unavailable. @default 1_000 */
  commandTimeoutMs?: number;
  /**
   * Source of time. @default the system clock
   */
  clock?: Clock;
}

const OPTIONS =
  'client url cluster redisOptions encryptionKeys indexKey prefix connectTimeoutMs commandTimeoutMs clock'.split(' ');
/** Longest delay of a timer of Node in ms. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

/** The options with their defaults. */
export type RedisStoreSettings = RedisStoreOptions &
  Required<Pick<RedisStoreOptions, 'prefix' | 'connectTimeoutMs' | 'commandTimeoutMs' | 'clock'>>;

/** Returns the options with their defaults. Throws `configuration` with the name of the option for an invalid value. */
export function redisStoreSettings(options: RedisStoreOptions): RedisStoreSettings {
  const unknown = Object.keys(options ?? {}).find((name) => !OPTIONS.includes(name));
  if (unknown !== undefined) throw refused(unknown, 'there is no such option');
  const settings = { ...options };
  const { prefix = DEFAULT_PREFIX, connectTimeoutMs = 2_000, commandTimeoutMs = 1_000, clock = systemClock } = settings;
  for (const [name, value] of Object.entries({ connectTimeoutMs, commandTimeoutMs })) {
    if (Number.isInteger(value) && value >= 1 && value <= LONGEST_TIMEOUT_MS) continue;
    throw refused(name, `expected an integer from 1 to ${LONGEST_TIMEOUT_MS}, found ${describe(value)}`);
  }
  if (typeof prefix !== 'string') throw refused('prefix', 'expected a string');
  if (/[{}]/.test(prefix)) {
    throw refused('prefix', 'must not contain braces, because they select the slot of a cluster');
  }
  const methods = ['now', 'monotonic', 'setTimer'] as const;
  if (!methods.every((method) => typeof clock?.[method] === 'function')) {
    throw refused('clock', 'expected { now(), monotonic(), setTimer() }');
  }
  return { ...settings, prefix, connectTimeoutMs, commandTimeoutMs, clock };
}

/** Describes a value for a message. Any text may be a secret that was set for the wrong option. */
function describe(value: unknown): string {
  return typeof value === 'number' ? String(value) : value === null ? 'null' : `a ${typeof value}`;
}

function refused(option: string, why: string): XPayAuthError {
  return configurationError(`redisStore ${option}: ${why}`);
}

/**
 * Returns a connection with the client of the options, or with a new client that neither queues nor repeats commands. Throws
 * `configuration`.
 */
export function connect({ client, url, cluster, redisOptions, connectTimeoutMs }: RedisStoreSettings): RedisConnection {
  if ([client, url, cluster].filter((way) => way !== undefined).length !== 1) {
    throw configurationError('redisStore: expected exactly one of client, url and cluster');
  }
  if (client !== undefined) return connectionOf(client);
  const address = url === undefined ? undefined : addressOf(url);
  const ioredis = loadIoRedis();
  const own: RedisOptions = {
    connectTimeout: connectTimeoutMs,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: backoff,
    ...redisOptions,
  };
  if (address !== undefined) return new IoRedisConnection(new ioredis.Redis(address, own), true);
  const options: ClusterOptions = { redisOptions: own, enableOfflineQueue: false, clusterRetryStrategy: backoff };
  return new IoRedisConnection(new ioredis.Cluster([...(cluster ?? [])], options), true);
}

function connectionOf(client: unknown): RedisConnection {
  const methods = (client ?? {}) as Record<string, unknown>;
  const has = (method: string): boolean => typeof methods[method] === 'function';
  if (has('duplicate') && has('evalSha')) return new NodeRedisConnection(client as NodeRedisClient);
  if (has('duplicate') && has('evalsha')) return new IoRedisConnection(client as Redis | Cluster, false);
  throw configurationError(
    'redisStore client: expected `new Redis()` or `new Cluster()` of ioredis, or what `createClient()`, `createCluster()` or ' +
      '`createSentinel()` of node-redis returns',
  );
}

/** Returns a URL of Redis unchanged. Throws `configuration` for any other text. */
export function addressOf(url: string): string {
  if (/^rediss?:\/\/[^/]/.test(url) && URL.canParse(url)) return url;
  // The URL may contain a password, so the message does not contain the URL.
  throw configurationError('redisStore url (XPAY_REDIS_URL): expected redis:// or rediss:// and a host');
}

function backoff(times: number): number {
  return Math.min(50 * 2 ** Math.min(times, 10), 1_000);
}

/**
 * Returns the package ioredis that the app has installed. The package is loaded on demand, because an app that uses node-redis
 * does not have it. It is loaded without `import()`, because `redisStore()` is synchronous. Throws `configuration`.
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
