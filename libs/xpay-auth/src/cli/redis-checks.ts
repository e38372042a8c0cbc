import type { Redis } from 'ioredis';
import { asXPayAuthError } from '../core/errors.js';
import type { Clock } from '../core/clock.js';
import { Codec } from '../stores/codec.js';
import { type KeyRing, keyRing } from '../stores/key-ring.js';
import { INDEX_KEY_CHECK, nameOfLog } from '../stores/redis-log.js';
import { DEFAULT_PREFIX, addressOf, loadIoRedis } from '../stores/redis-options.js';
import { WRONG_INDEX_KEY, reasonOf } from '../stores/redis-replies.js';
import type { Report } from './report.js';
import { CLUSTER, COMMAND_MS, addUnavailable, attempt, isDenied } from './redis-replies.js';
import { checkChannels, checkRights } from './redis-rights.js';
import { addSkew } from './upstream-checks.js';

export interface RedisFacts {
  readonly url: string;
  readonly encryptionKeys: string | undefined;
  /** The name of the log of revocations of the instance. */
  readonly log: string;
  readonly clock: Clock;
}

/** The deadline of `redisStore` for opening a connection, in ms. */
const CONNECT_MS = 2_000;
/** The oldest version of Redis that the store supports. */
const OLDEST_MAJOR = 7;
/** Number of records of the log whose encryption key is checked. */
const NEWEST_RECORDS = 100;

/** Checks the server behind a URL, the rights of its user, and the keys of the store. */
export async function checkRedis(report: Report, facts: RedisFacts): Promise<void> {
  const ring = checkKeys(report, facts.encryptionKeys);
  const client = open(report, facts.url);
  if (client === undefined) return;
  try {
    let lastError: Error | undefined;
    client.on('error', (error: Error) => (lastError = error));
    // The rejection has no reason. The event `error` has one, also if the server rejects the password.
    await client.connect().catch((thrown: Error) => (lastError ??= thrown));
    if (lastError !== undefined) return addUnavailable(report, lastError);
    if (!(await checkServer(report, client, facts.clock))) return;
    await checkRights(report, client);
    if (ring !== undefined) await checkLog(report, client, ring, facts.log);
    await checkChannels(report, client);
  } finally {
    client.disconnect();
  }
}

function open(report: Report, url: string): Redis | undefined {
  try {
    return new (loadIoRedis().Redis)(addressOf(url), {
      lazyConnect: true,
      connectTimeout: CONNECT_MS,
      commandTimeout: COMMAND_MS,
      maxRetriesPerRequest: 0,
      retryStrategy: () => null,
      enableOfflineQueue: false,
      enableReadyCheck: false,
    });
  } catch (thrown) {
    const { message } = asXPayAuthError(thrown, 'configuration', 'The client of Redis cannot be created');
    report.failure('redis', message, 'Correct the URL, or install the package, as the message says.');
    return undefined;
  }
}

function checkKeys(report: Report, keys: string | undefined): KeyRing | undefined {
  try {
    const ring = keyRing(keys);
    const ids = [...ring.keys].map(([id]) => id);
    const hasIndex = /(?:^|,)\s*index:/.test(keys ?? '');
    const index = hasIndex ? 'index' : `${ids.at(-1)}, because no key has the id index`;
    report.ok('redis keys', `${ids.join(', ')}; ${ring.first} encrypts. The index key is ${index}.`);
    return ring;
  } catch (thrown) {
    const { message } = asXPayAuthError(thrown, 'configuration', 'The encryption keys cannot be read');
    report.failure('redis keys', message, 'Set the same keys on all instances. See "Rotate keys" in docs/scale.md.');
    return undefined;
  }
}

/** Checks version, memory and clock. Returns whether the server answers. */
async function checkServer(report: Report, client: Redis, clock: Clock): Promise<boolean> {
  const server = await attempt(client.info('server'));
  if (server.failure !== undefined && !isDenied(server.failure)) {
    addUnavailable(report, server.failure);
    return false;
  }
  const info = server.value ?? '';
  const version = /^redis_version:(\S+)/m.exec(info)?.[1];
  // Valkey also reports the version of Redis with which it is compatible.
  const valkey = /^valkey_version:(\S+)/m.exec(info)?.[1];
  const product = valkey === undefined ? `Redis ${version}` : `Valkey ${valkey}`;
  if (version === undefined) {
    report.ok('redis', 'Connected. The version is not known, because the user lacks the right +info.');
  } else if (Number.parseInt(version, 10) < OLDEST_MAJOR) {
    report.failure('redis', `Connected to ${product}`, `Update Redis to version ${OLDEST_MAJOR} or later.`);
  } else if (/^redis_mode:cluster/m.test(info)) {
    report.warning('redis', `Connected to ${product}, a node of a Redis Cluster`, CLUSTER);
  } else report.ok('redis', `Connected to ${product}`);

  const memory = await attempt(client.info('memory'));
  const policy = /maxmemory_policy:(\S+)/.exec(memory.value ?? '')?.[1];
  if (policy === 'noeviction') report.ok('redis policy', 'maxmemory-policy is noeviction');
  else if (policy !== undefined) {
    const message = `maxmemory-policy is ${policy}, so Redis may delete sessions and revocations when its memory is full`;
    report.warning('redis policy', message, 'Set maxmemory-policy noeviction in the configuration of Redis.');
  }

  const askedAt = clock.monotonic();
  const time = await attempt(client.time());
  if (time.value === undefined) return true;
  const [seconds, micros] = time.value.map(Number);
  const upstreamNow = (seconds ?? NaN) * 1_000 + (micros ?? NaN) / 1_000;
  const elapsedMs = clock.monotonic() - askedAt;
  addSkew(report, 'redis clock', 'Redis', { upstreamNow, elapsedMs, receivedAt: clock.now(), precision: '1 ms' });
  return true;
}

/** Checks whether Redis was used with another index key, and whether the keys can decrypt the newest revocations. */
async function checkLog(report: Report, client: Redis, ring: KeyRing, log: string): Promise<void> {
  const place = `${DEFAULT_PREFIX}{${nameOfLog(log)}}`;
  const check = await attempt(client.hget(`${place}:m`, 'c'));
  const records = await attempt(client.lrange(`${place}:r`, -NEWEST_RECORDS, -1));
  const failure = check.failure ?? records.failure;
  if (failure !== undefined) {
    // `checkRights` reports missing rights.
    if (isDenied(failure)) return;
    const fix = 'Another program uses the same prefix of keys. Give this app another database or server.';
    return report.failure('redis index key', `The log of revocations cannot be read (${reasonOf(failure)})`, fix);
  }
  if (check.value === null) {
    return report.ok('redis index key', 'This instance has not used this Redis before, so any index key can be used');
  }
  if (check.value !== new Codec(ring, DEFAULT_PREFIX).indexOf(INDEX_KEY_CHECK)) {
    return report.failure('redis index key', 'This Redis was used with another index key', WRONG_INDEX_KEY);
  }
  report.ok('redis index key', 'This Redis was used with the same index key');
  const used = (records.value ?? []).map((record) => record.split('|')[2]?.split('.')[1] ?? '');
  const unknown = [...new Set(used)].filter((id) => !ring.keys.has(id));
  if (unknown.length === 0) return;
  const fix =
    'Add the missing keys at the end of the encryption keys. Remove them when the sessions that they encrypt have ended.';
  report.warning(
    'redis keys',
    `Values in Redis are encrypted with keys that are not configured: ${unknown.join(', ')}`,
    fix,
  );
}
