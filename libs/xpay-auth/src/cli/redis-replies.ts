import { reasonOf } from '../stores/redis-replies.js';
import type { Report } from './report.js';

/** The deadline of `redisStore` for a reply, in ms. */
export const COMMAND_MS = 1_000;
/** The fix for a node of a Redis Cluster. */
export const CLUSTER =
  'Set redisStore({ cluster: [...] }) in the code of your app, because a URL leads to one server only.';

/** Adds the failure of a server that answers, but rejects writes with this code. */
export function addRejectedWrite(report: Report, code: string): void {
  const fixes: Readonly<Record<string, string>> = {
    READONLY:
      'This server is a replica. Set a URL whose host is the primary, or a name that always leads to the primary.',
    MOVED: CLUSTER,
    CLUSTERDOWN: 'Check the state of the Redis Cluster by: redis-cli cluster info',
    OOM: 'The memory of Redis is full. Raise maxmemory, or delete what other apps store there.',
    MISCONF: 'Redis cannot write its snapshot to the disk. Read the log of Redis, and free disk space.',
    NOREPLICAS: 'Redis has too few replicas for min-replicas-to-write. Start the replicas.',
  };
  report.failure('redis', `Redis refuses writes (${code})`, fixes[code] ?? 'Read the log of Redis.');
}

/** Adds the failure of a server that cannot be used. */
export function addUnavailable(report: Report, error: Error): void {
  const isTimeout = error.message === 'Command timed out';
  const reason = isTimeout ? `no answer within ${COMMAND_MS} ms` : reasonOf(error);
  const password = 'Check the username and the password in the URL of Redis.';
  const fixes: Readonly<Record<string, string>> = {
    WRONGPASS: password,
    NOAUTH: password,
    LOADING: 'Redis is loading its data. Wait, and run this command again.',
    MASTERDOWN: 'This server is a replica without its primary. Set the URL of the primary.',
    ERR: 'Check the number of the database at the end of the URL, and the password.',
    NOPERM: 'Grant +select, or use database 0.',
  };
  // The event `error` has the reply, but not always as a ReplyError.
  const code = /^[A-Z]{2,32}(?= )/.exec(error.message)?.[0] ?? '';
  const fix =
    fixes[code] ?? 'Check the URL of Redis (rediss:// for TLS) and the firewall, and whether Redis is running.';
  report.failure('redis', `Redis cannot be used (${fixes[code] === undefined ? reason : code})`, fix);
}

/** Whether the user of Redis lacks a right. */
export function isDenied({ message }: Error): boolean {
  return message.startsWith('NOPERM');
}

/** The reply to a command, or its failure. */
type Attempt<T> =
  { readonly value: T; readonly failure?: undefined } | { readonly value?: undefined; readonly failure: Error };

export async function attempt<T>(reply: Promise<T>): Promise<Attempt<T>> {
  try {
    return { value: await reply };
  } catch (thrown) {
    return { failure: thrown instanceof Error ? thrown : new Error('no reason given') };
  }
}
