import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type XPayEmulator, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { APP, InstanceFactory } from '../support/cluster.js';
import { runCommand } from '../support/command-line.js';
import { newKey } from '../support/encryption-keys.js';
import { RedisServer } from '../support/redis-server.js';

/** The rights in docs/scale.md, from `~xpay:*` on. */
const RIGHTS = (
  /^user app .*? (~.*)$/m.exec(readFileSync(resolve(import.meta.dirname, '../../docs/scale.md'), 'utf8'))?.[1] ?? ''
).split(' ');
const PASSWORD = 'p@ss/word of redis';
const key = newKey();

let redis: RedisServer;
let upstream: XPayEmulator;

beforeAll(async () => {
  redis = await RedisServer.start();
  upstream = await startXPayEmulator({ accounts: [APP] });
});

afterAll(async () => {
  await redis[Symbol.asyncDispose]();
  await upstream.stop();
});

beforeEach(() => redis.client.flushall());

const doctor = (url: string, keys = `k1:${key}`) =>
  runCommand(['doctor', '--json'], {
    env: { XPAY_BASE_URL: upstream.url, XPAY_REDIS_URL: url, XPAY_ENCRYPTION_KEYS: keys },
    secrets: [PASSWORD],
  });

/** Returns the URL of a user with these rights. */
async function user(rights: readonly string[]): Promise<string> {
  await redis.client.call('ACL', 'SETUSER', 'app', 'reset', 'on', `>${PASSWORD}`, 'resetchannels', ...rights);
  return redis.url.replace('//', `//app:${encodeURIComponent(PASSWORD)}@`);
}

const problems = (all: readonly { check: string; status: string }[]) =>
  all.filter(({ check, status }) => check.startsWith('redis') && status !== 'ok');

describe('doctor with Redis', () => {
  it('finds no failure with the rights that docs/scale.md lists, and leaves no key behind', async () => {
    const { json, of } = await doctor(await user(RIGHTS));
    expect(problems(json.findings)).toEqual([]);
    expect(of('redis')).toEqual([
      expect.objectContaining({ message: expect.stringMatching(/^Connected to Redis \d+\.\d+/) }),
    ]);
    expect(of('redis clock')).toEqual([
      expect.objectContaining({ message: expect.stringContaining('precision 1 ms') }),
    ]);
    const checks = [
      'redis keys',
      'redis',
      'redis policy',
      'redis clock',
      'redis acl',
      'redis index key',
      'redis channels',
    ];
    expect(json.findings.map(({ check }) => check).filter((check) => check.startsWith('redis'))).toEqual(checks);
    expect(json.options).toContainEqual({
      option: 'store url',
      value: `redis://app:[redacted]@127.0.0.1:${redis.port}`,
      source: 'XPAY_REDIS_URL, from the environment',
    });
    expect(json.options).toContainEqual(expect.objectContaining({ value: 'k1:[redacted]' }));
    expect(await redis.client.keys('*')).toEqual([]);
  });

  const needed = RIGHTS.filter((right) => !/^&|publish|subscribe/.test(right));
  it.each(needed)('names the missing right %s and the command that grants it', async (right) => {
    const rights = right.startsWith('~') ? ['~other:*', ...RIGHTS.slice(1)] : RIGHTS.filter((each) => each !== right);
    const { code, of } = await doctor(await user(rights));
    expect(code).toBe(1);
    expect(of('redis acl')).toEqual([
      {
        check: 'redis acl',
        status: 'failure',
        message: `The user lacks the rights ${right}`,
        fix: expect.stringContaining(`ACL SETUSER app ${right} `),
      },
    ]);
    const keys = await redis.client.keys('*');
    expect(await Promise.all(keys.map((each) => redis.client.pttl(each)))).toEqual(keys.map(() => expect.any(Number)));
    expect(keys.length).toBe(right === '+del' ? 1 : 0);
    if (right === '+del') expect(await redis.client.pttl(keys[0] ?? '')).toBeGreaterThan(0);
  });

  it('warns of a missing right to the channels', async () => {
    const { code, json } = await doctor(await user(RIGHTS.filter((right) => right !== '&xpay:*')));
    expect(code).toBe(0);
    expect(problems(json.findings)).toEqual([
      expect.objectContaining({ check: 'redis channels', status: 'warning', fix: expect.stringContaining('&xpay:*') }),
    ]);
  });

  it('reports a wrong password without printing it', async () => {
    const url = (await user(RIGHTS)).replace(encodeURIComponent(PASSWORD), 'wrong-password');
    const { code, of } = await doctor(url);
    expect(code).toBe(1);
    expect(of('redis')).toEqual([
      {
        check: 'redis',
        status: 'failure',
        message: 'Redis cannot be used (WRONGPASS)',
        fix: expect.stringContaining('password'),
      },
    ]);
  });

  it('reports a missing password', async () => {
    await using locked = await RedisServer.start('--requirepass', PASSWORD);
    const { of } = await doctor(locked.url);
    expect(of('redis')).toEqual([
      expect.objectContaining({ status: 'failure', message: expect.stringContaining('NOAUTH') }),
    ]);
  });

  it('reports a database that does not exist', async () => {
    const { of } = await doctor(`${redis.url}/99`);
    expect(of('redis')).toEqual([
      expect.objectContaining({ status: 'failure', fix: expect.stringContaining('database') }),
    ]);
  });

  it('reports a server that does not respond', async () => {
    await using other = await RedisServer.start();
    other.freeze();
    const frozen = await doctor(other.url);
    expect(frozen.of('redis')).toEqual([
      expect.objectContaining({
        status: 'failure',
        message: expect.stringMatching(/no answer within 1000 ms|ETIMEDOUT/),
      }),
    ]);
  });

  it('reports a server that is not Redis', async () => {
    const { of } = await doctor(upstream.url.replace('http:', 'redis:'));
    expect(of('redis')).toEqual([expect.objectContaining({ status: 'failure' })]);
  });

  it('reports a URL that is not a URL of Redis, without printing it', async () => {
    const { of } = await runCommand(['doctor', '--json'], {
      env: {
        XPAY_BASE_URL: upstream.url,
        XPAY_REDIS_URL: 'http://user:hidden-password@127.0.0.1',
        XPAY_ENCRYPTION_KEYS: `k1:${key}`,
      },
    });
    expect(of('redis')).toEqual([
      expect.objectContaining({ status: 'failure', message: expect.stringContaining('redis://') }),
    ]);
  });

  it('hides a username without a password and the query of the URL, because both may be secrets', async () => {
    const url = redis.url.replace('//', '//a-lonely-password@');
    const { json } = await runCommand(['doctor', '--json'], {
      env: {
        XPAY_BASE_URL: upstream.url,
        XPAY_REDIS_URL: `${url}/0?password=in-the-query`,
        XPAY_ENCRYPTION_KEYS: `k1:${key}`,
      },
      secrets: ['a-lonely-password', 'in-the-query'],
    });
    expect(json.options?.find(({ option }) => option === 'store url')?.value).toBe(
      `redis://[redacted]@127.0.0.1:${redis.port}/0`,
    );
  });

  it('reports a replica', async () => {
    await using replica = await RedisServer.start(
      '--replicaof',
      '127.0.0.1',
      String(redis.port),
      '--replica-serve-stale-data',
      'yes',
    );
    const { of } = await doctor(replica.url);
    expect(of('redis')).toContainEqual(
      expect.objectContaining({
        status: 'failure',
        message: 'Redis refuses writes (READONLY)',
        fix: expect.stringContaining('primary'),
      }),
    );
  });

  it('reports a node of a Redis Cluster', async () => {
    await using node = await RedisServer.start('--cluster-enabled', 'yes', '--cluster-require-full-coverage', 'yes');
    const { code, of } = await doctor(node.url);
    expect(code).toBe(1);
    expect(of('redis')).toEqual([
      expect.objectContaining({ status: 'warning', message: expect.stringContaining('node of a Redis Cluster') }),
      expect.objectContaining({ status: 'failure', message: 'Redis refuses writes (CLUSTERDOWN)' }),
    ]);
  });

  it('warns of a maxmemory-policy that deletes data, and reports a full memory', async () => {
    await using small = await RedisServer.start('--maxmemory', '3mb', '--maxmemory-policy', 'allkeys-lru');
    const evicting = await doctor(small.url);
    expect(evicting.code).toBe(0);
    expect(problems(evicting.json.findings)).toEqual([
      expect.objectContaining({ check: 'redis policy', status: 'warning', fix: expect.stringContaining('noeviction') }),
    ]);
    await small.client.config('SET', 'maxmemory-policy', 'noeviction');
    await small.client.config('SET', 'maxmemory', '1');
    const full = await doctor(small.url);
    expect(full.of('redis')).toContainEqual(
      expect.objectContaining({
        status: 'failure',
        message: 'Redis refuses writes (OOM)',
        fix: expect.stringContaining('maxmemory'),
      }),
    );
  });

  it.each([
    ['', 'there is no key'],
    ['k1:c2hvcnQ=', 'has 5 bytes'],
    ['just-some-text-without-a-colon', 'expected `id:base64`'],
    [`k1:${key},k1:${key}`, 'two keys are called'],
  ])('reports wrong encryption keys without showing them', async (keys, message) => {
    const { code, of, json } = await doctor(redis.url, keys);
    expect(code).toBe(1);
    expect(of('redis keys')).toEqual([
      expect.objectContaining({ status: 'failure', message: expect.stringContaining(message) }),
    ]);
    expect(json.options?.find(({ option }) => option === 'store encryptionKeys')?.value).toBe(
      keys === '' ? 'not set' : '[redacted]',
    );
  });

  it('recognises the index key of the instances that have used this Redis', async () => {
    const instances = new InstanceFactory(upstream, redis.url);
    const used = instances.encryptionKeys[0]?.key ?? '';
    await using one = await instances.boot();
    await one.sessions.revokeUser('somebody');
    const same = await doctor(redis.url, `k1:${used}`);
    expect(same.of('redis index key')).toEqual([
      expect.objectContaining({ status: 'ok', message: 'This Redis was used with the same index key' }),
    ]);
    const rotated = await doctor(redis.url, `k2:${newKey()},index:${used}`);
    expect(problems(rotated.json.findings)).toEqual([
      expect.objectContaining({
        check: 'redis keys',
        status: 'warning',
        message: expect.stringContaining('not configured: k1'),
      }),
    ]);
    const wrong = await doctor(redis.url, `k2:${newKey()}`);
    expect(wrong.of('redis index key')).toEqual([
      expect.objectContaining({ status: 'failure', fix: expect.stringContaining('index:<its base64>') }),
    ]);
  });

  it('reports a key of another type under the name of the log', async () => {
    const instances = new InstanceFactory(upstream, redis.url);
    await using one = await instances.boot();
    await one.sessions.revokeUser('somebody');
    const [log = ''] = (await redis.client.keys('*')).filter((each) => each.endsWith(':m'));
    await redis.client.set(log, 'a text');
    const { of } = await doctor(redis.url);
    expect(of('redis index key')).toEqual([
      expect.objectContaining({ status: 'failure', message: expect.stringContaining('WRONGTYPE') }),
    ]);
  });
});
