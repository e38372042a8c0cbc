/** Replies with which an available server rejects a write. */
export const REJECTS_WRITES = /^(?:OOM|MISCONF|NOREPLICAS)(?= )/;
/** Reply of a server that has become a replica. The primary is another server. */
export const IS_REPLICA = 'READONLY';
/** Prefix of a script's reply if the index key of this instance differs from the index key with which the log was written. */
const OTHER_INDEX_KEY = /^XPAYINDEX /;
/** Replies to a Redis user who lacks a right. Redis 7.0 has a different text inside a script. */
const DENIED = /^NOPERM |^ERR The user executing the script/;

/** The wrong setting of a Redis user who lacks a right. */
export const NO_RIGHT = 'the user of Redis lacks a right (NOPERM)';
const OTHER_KEY = 'it was used with another index key';
/** The warning for a wrong index key. */
export const WRONG_INDEX_KEY =
  'The index key is not the one that this Redis was used with, so revocations cannot be read. When keys are rotated ' +
  'the first index key must stay: keep it in XPAY_ENCRYPTION_KEYS as index:<its base64>.';

/** Returns the warning for a Redis user who lacks a right. */
export function missingRight(prefix: string): string {
  return (
    `The user of Redis lacks a right (NOPERM), so the store cannot be used. Grant ~${prefix}* and the commands that ` +
    'docs/scale.md lists. ACL LOG shows the command that was rejected.'
  );
}

/** Returns the wrong setting that caused this reply; `undefined` for any other error. */
export function faultOf(thrown: unknown): string | undefined {
  const message = thrown instanceof Error ? thrown.message : '';
  if (OTHER_INDEX_KEY.test(message)) return OTHER_KEY;
  return DENIED.test(message) ? NO_RIGHT : undefined;
}

/** The safe part of an error reply: a code, or a reply that contains nothing else and whose code alone says nothing. */
const SAFE_REPLY = /^(?:ERR max number of clients reached|[A-Z]{2,32}(?= ))/;

/**
 * Returns the part of an error that may be logged. The whole message of a Redis client may quote the command, with its Redis keys
 * and encrypted values.
 */
export function reasonOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return 'it failed';
  if ('code' in thrown && typeof thrown.code === 'string') return thrown.code;
  // A server quotes a command that it does not know, and AUTH contains a password.
  if (thrown.name === 'ReplyError') return SAFE_REPLY.exec(thrown.message)?.[0] ?? 'it answered with an error';
  return thrown.message.split('\n')[0]?.slice(0, 80) ?? 'it failed';
}
