import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import { asXPayAuthError } from '../core/errors.js';
import type { Clock } from '../core/clock.js';
import { Codec } from '../stores/codec.js';
import { type KeyRing, keyRing } from '../stores/key-ring.js';
import { INDEX_KEY_CHECK, nameOfLog } from '../stores/redis-log.js';
import { DEFAULT_PREFIX, addressOf, loadIoRedis } from '../stores/redis-options.js';
import { WRONG_INDEX_KEY, reasonOf } from '../stores/redis-replies.js';
import type { Report } from './report.js';
import { addSkew } from './upstream-checks.js';

export interface RedisFacts {
  readonly url: string;
  readonly encryptionKeys: string | undefined;
  /** The name of the log of revocations of the instance. */
  readonly log: string;
  readonly clock: Clock;
}

/** The deadlines of `redisStore`, in ms. */
const CONNECT_MS = 2_000;
const COMMAND_MS = 1_000;
/** Ms after which Redis deletes the key that the checks write. */
const PROBE_MS = 10_000;
/** The oldest version of Redis that the store supports. */
const OLDEST_MAJOR = 7;
const CLUSTER = 'Set redisStore({ cluster: [...] }) in the code of your app, because a URL leads to one server only.';
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

/**
 * Tries the commands of the store. A user with only the rights of the store may not call `ACL DRYRUN`. The only key that is
 * written expires after 10 s. Commands that would write another type fail with `WRONGTYPE`, after Redis has checked the right.
 */
async function checkRights(report: Report, client: Redis): Promise<void> {
  const key = `${DEFAULT_PREFIX}doctor:${randomBytes(9).toString('base64url')}`;
  const missing: string[] = [];
  const run = async (command: string, ...args: string[]): Promise<Error | undefined> => {
    const { failure } = await attempt(client.call(command, ...args));
    const message = failure?.message ?? '';
    if (message.startsWith('ERR unknown command')) missing.push(`+${command}`);
    else if (failure !== undefined && isDenied(failure)) {
      missing.push(/ keys?\b/.test(message) ? `~${DEFAULT_PREFIX}*` : `+${command}`);
    }
    return failure;
  };
  const failure = await run('set', key, '1', 'PX', String(PROBE_MS));
  const [code] = /^(?:READONLY|MOVED|CLUSTERDOWN|OOM|MISCONF|NOREPLICAS)(?= )/.exec(failure?.message ?? '') ?? [];
  if (code !== undefined) return addRejectedWrite(report, code);
  if (failure !== undefined && !isDenied(failure)) return addUnavailable(report, failure);
  await run('info', 'memory');
  await run('time');
  await run('eval', 'return 1', '0');
  await run('evalsha', '0'.repeat(40), '0');
  await run('get', key);
  await run('pttl', key);
  await run('pexpire', key, String(PROBE_MS));
  await run('hget', key, 'f');
  await run('hmget', key, 'f');
  await run('lrem', key, '0', '1');
  await run('ltrim', key, '0', '0');
  await run('llen', key);
  await run('lrange', key, '0', '0');
  // Without the key of `set`, these commands would create keys that do not expire.
  if (failure === undefined) {
    await run('hset', key, 'f', '1');
    await run('hincrby', key, 'f', '1');
    await run('rpush', key, '1');
  }
  await run('del', key);
  if (missing.length === 0)
    return report.ok('redis acl', 'The user has the rights to all keys and commands of the store');
  const rights = [...new Set(missing)].join(' ');
  const fix = `Run as an administrator of Redis: ACL SETUSER ${client.options.username ?? 'default'} ${rights}`;
  report.failure(
    'redis acl',
    `The user lacks the rights ${rights}`,
    `${fix} (the list of all rights is in docs/scale.md)`,
  );
}

function addRejectedWrite(report: Report, code: string): void {
  const fixes: Readonly<Record<string, string>> = {
    READONLY: 'This server is a replica. Set the URL of the primary, or of a name that leads to it.',
    MOVED: CLUSTER,
    CLUSTERDOWN: 'Check the state of the Redis Cluster by: redis-cli cluster info',
    OOM: 'The memory of Redis is full. Raise maxmemory, or delete what other apps store there.',
    MISCONF: 'Redis cannot write its snapshot to the disk. Read the log of Redis, and free disk space.',
    NOREPLICAS: 'Redis has too few replicas for min-replicas-to-write. Start the replicas.',
  };
  report.failure('redis', `Redis refuses writes (${code})`, fixes[code] ?? 'Read the log of Redis.');
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
    return report.ok('redis index key', 'This instance has not used this Redis before, so every index key is possible');
  }
  if (check.value !== new Codec(ring, DEFAULT_PREFIX).indexOf(INDEX_KEY_CHECK)) {
    return report.failure('redis index key', 'This Redis was used with another index key', WRONG_INDEX_KEY);
  }
  report.ok('redis index key', 'This Redis was used with the same index key');
  const used = (records.value ?? []).map((record) => record.split('|')[2]?.split('.')[1] ?? '');
  const unknown = [...new Set(used)].filter((id) => !ring.keys.has(id));
  if (unknown.length === 0) return;
  const fix = `Add the missing keys to the end of the encryption keys until the sessions of that time have ended.`;
  report.warning(
    'redis keys',
    `Values in Redis are encrypted with keys that are not configured: ${unknown.join(', ')}`,
    fix,
  );
}

/** The last check, because a connection with a subscription accepts no other commands. */
async function checkChannels(report: Report, client: Redis): Promise<void> {
  const channel = `${DEFAULT_PREFIX}doctor`;
  const published = await attempt(client.publish(channel, ''));
  const subscribed = await attempt(client.subscribe(channel));
  if ([published, subscribed].every(({ failure }) => failure === undefined || !isDenied(failure))) {
    return report.ok('redis channels', 'The user has the rights to the channels of the store');
  }
  const message = 'The user lacks a right to the channels, so a revocation reaches other instances up to a second late';
  const rights = `&${DEFAULT_PREFIX}* +publish +subscribe`;
  const fix = `Run as an administrator of Redis: ACL SETUSER ${client.options.username ?? 'default'} ${rights}`;
  report.warning('redis channels', message, fix);
}

function addUnavailable(report: Report, error: Error): void {
  const isTimeout = error.message === 'Command timed out';
  const reason = isTimeout ? `no answer within ${COMMAND_MS} ms` : reasonOf(error);
  const password = 'Check the username and the password in the URL of Redis.';
  const fixes: Readonly<Record<string, string>> = {
    WRONGPASS: password,
    NOAUTH: password,
    LOADING: 'Redis loads its data. Wait, and run this command again.',
    MASTERDOWN: 'This server is a replica without its primary. Set the URL of the primary.',
    ERR: 'Check the number of the database at the end of the URL, and the password.',
    NOPERM: 'Grant +select, or use database 0.',
  };
  // The event `error` has the reply, but not always as a ReplyError.
  const code = /^[A-Z]{2,32}(?= )/.exec(error.message)?.[0] ?? '';
  const fix = fixes[code] ?? 'Check the URL of Redis, that Redis runs, its TLS (rediss://), and the firewall.';
  report.failure('redis', `Redis cannot be used (${fixes[code] === undefined ? reason : code})`, fix);
}

function isDenied({ message }: Error): boolean {
  return message.startsWith('NOPERM');
}

/** The reply to a command, or its failure. */
type Attempt<T> =
  { readonly value: T; readonly failure?: undefined } | { readonly value?: undefined; readonly failure: Error };

async function attempt<T>(reply: Promise<T>): Promise<Attempt<T>> {
  try {
    return { value: await reply };
  } catch (thrown) {
    return { failure: thrown instanceof Error ? thrown : new Error('no reason given') };
  }
}
