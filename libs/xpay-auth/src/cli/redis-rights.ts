import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import { DEFAULT_PREFIX } from '../stores/redis-options.js';
import { addRejectedWrite, addUnavailable, attempt, isDenied } from './redis-replies.js';
import type { Report } from './report.js';

/** Ms after which Redis deletes the key that the checks write. */
const PROBE_MS = 10_000;
/**
 * Tries the commands of the store, because a user with only the rights of the store may not call `ACL DRYRUN`. The only key that is
 * written expires after 10 s. Commands that would write another type fail with `WRONGTYPE`, after Redis has checked the right.
 */
export async function checkRights(report: Report, client: Redis): Promise<void> {
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

/** Checks the rights to the channels. Call this check last, because a connection with a subscription accepts no other commands. */
export async function checkChannels(report: Report, client: Redis): Promise<void> {
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
