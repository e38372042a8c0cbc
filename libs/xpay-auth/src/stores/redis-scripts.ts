import { createHash } from 'node:crypto';
import { LONGEST_LOG } from '../core/store.js';

/**
 * A Lua script, which runs atomically. All keys of a script are in one slot of a cluster. The comment of each script lists its
 * keys; its arguments → its result.
 */
export interface Script {
  readonly text: string;
  readonly sha: string;
}

/** The arguments of a script. */
export type ScriptArgs = readonly (string | number)[];

function script(text: string): Script {
  return { text, sha: createHash('sha1').update(text).digest('hex') };
}

/** Reads the server's clock in ms. All instances share this clock. */
const NOW = `local t = redis.call('TIME') local now = t[1] * 1000 + math.floor(t[2] / 1000)`;

/** entry → generation, value, ms left */
export const READ = script(`
local e = redis.call('HMGET', KEYS[1], 'g', 'v')
if not e[1] then return false end
return {e[1], e[2], redis.call('PTTL', KEYS[1])}`);

/** entry; generation, value, ms → whether the value was written, because its generation is newer than that of the entry */
export const WRITE = script(`
local g = redis.call('HGET', KEYS[1], 'g')
if g and tonumber(g) >= tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'g', ARGV[1], 'v', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1`);

/** entry; generation, ms. If the memory of the server is full, the script deletes the entry instead. */
export const DISCARD = script(`
local e = redis.call('HMGET', KEYS[1], 'g', 'v')
if e[1] and tonumber(e[1]) > tonumber(ARGV[1]) then return 0 end
local left = tonumber(ARGV[2])
if e[2] == '' then left = math.max(redis.call('PTTL', KEYS[1]), left) end
local marked = redis.pcall('HSET', KEYS[1], 'g', ARGV[1], 'v', '')
if type(marked) == 'table' and marked.err then redis.call('DEL', KEYS[1]) return 2 end
redis.call('PEXPIRE', KEYS[1], left)
return 1`);

/**
 * list; item, maximum number of items, ms → the items beyond the maximum, oldest first. They are removed from the list when their
 * entries are deleted.
 */
export const ENLIST = script(`
redis.call('LREM', KEYS[1], 0, ARGV[1])
local length = redis.call('RPUSH', KEYS[1], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
local most = tonumber(ARGV[2])
if length <= most then return {} end
return redis.call('LRANGE', KEYS[1], 0, length - most - 1)`);

/** list; items */
export const DELIST = script(`
for _, item in ipairs(ARGV) do redis.call('LREM', KEYS[1], 0, item) end
return #ARGV`);

/** entry */
export const DELETE = script(`
return redis.call('DEL', KEYS[1])`);

/**
 * lease, its generations, entry; owner, ms → 1 and the generation, or 0 and the ms left. The generation is at least the time in
 * ms, so it still increases if the record of generations has expired after a month.
 */
export const ACQUIRE = script(`
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return {0, redis.call('PTTL', KEYS[1])} end
${NOW}
local last = tonumber(redis.call('GET', KEYS[2]) or '0')
local written = tonumber(redis.call('HGET', KEYS[3], 'g') or '0')
local g = string.format('%.0f', math.max(last + 1, written + 1, now))
redis.call('SET', KEYS[2], g, 'PX', 2592000000)
return {1, g}`);

/** Writes a separate key. Fails if the other scripts that write would fail. */
export const PROBE = script(`
return redis.call('SET', KEYS[1], '1', 'PX', 1000)`);

/** lease; owner */
export const RELEASE = script(`
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`);

/**
 * counter; ms of a window → count, ms left, window, the part of the count that version 0.1.0 has counted. Version 0.1.0 does not
 * count in `m`.
 */
export const COUNT = script(`
local n = redis.call('HINCRBY', KEYS[1], 'n', 1)
local m = redis.call('HINCRBY', KEYS[1], 'm', 1)
if n == 1 then
  ${NOW}
  redis.call('HSET', KEYS[1], 'w', string.format('%.0f', now))
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
return {n, redis.call('PTTL', KEYS[1]), redis.call('HGET', KEYS[1], 'w'), n - m}`);

/** counter; window */
export const UNCOUNT = script(`
if redis.call('HGET', KEYS[1], 'w') ~= ARGV[1] then return 0 end
redis.call('HINCRBY', KEYS[1], 'm', -1)
if redis.call('HINCRBY', KEYS[1], 'n', -1) <= 0 then redis.call('DEL', KEYS[1]) end
return 1`);

/** Begins a log that does not exist. Returns an error for a log that was written with another index key. */
const OPEN_LOG = `
local m = redis.call('HMGET', KEYS[1], 'e', 'n', 'c')
local e, n = m[1], tonumber(m[2] or '0')
if not e then
  e = ARGV[1]
  redis.call('HSET', KEYS[1], 'e', e, 'n', 0, 'c', ARGV[2])
elseif m[3] ~= ARGV[2] then
  return redis.error_reply('XPAYINDEX another index key')
end`;

/**
 * log, its records; epoch of a new log, check of the index key, epoch and position of the record, record → epoch, newest, oldest,
 * the record if it was appended. Appends the record only if its epoch and position are the next ones of the log.
 */
export const APPEND = script(`${OPEN_LOG}
local appended = {}
if e == ARGV[3] and n + 1 == tonumber(ARGV[4]) then
  n = redis.call('HINCRBY', KEYS[1], 'n', 1)
  redis.call('RPUSH', KEYS[2], ARGV[5])
  redis.call('LTRIM', KEYS[2], -${LONGEST_LOG}, -1)
  appended = {ARGV[5]}
end
return {e, n, n - redis.call('LLEN', KEYS[2]) + 1, appended}`);

/** log, its records; epoch of a new log, check of the index key, position → epoch, newest, oldest, the records after the position */
export const READ_LOG = script(`${OPEN_LOG}
local oldest = n - redis.call('LLEN', KEYS[2]) + 1
local after = tonumber(ARGV[3])
local records = {}
if after < n then records = redis.call('LRANGE', KEYS[2], math.max(0, after - oldest + 1), -1) end
return {e, n, oldest, records}`);

/** log, its records; the lost epoch, the new epoch */
export const RENEW_EPOCH = script(`
if redis.call('HGET', KEYS[1], 'e') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'e', ARGV[2], 'n', 0)
redis.call('DEL', KEYS[2])
return 1`);
