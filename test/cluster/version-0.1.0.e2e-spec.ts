import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { redisStore } from 'nestjs-xpay-auth/redis';
import { startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { readFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Codec } from '../../libs/xpay-auth/src/stores/codec.js';
import { keyRing } from '../../libs/xpay-auth/src/stores/key-ring.js';
import { APP, type Instance, InstanceFactory, logins } from '../support/cluster.js';
import { RedisServer } from '../support/redis-server.js';
import { basic } from '../support/start-app.js';

interface Recorded {
  readonly hash?: Readonly<Record<string, string>>;
  readonly list?: readonly string[];
  readonly string?: string;
  readonly lifeMs?: number;
}

/**
 * The state of Redis after version 0.1.0 has run these steps: get the app token; log in Ada, Bob and Carl; revoke Bob; log out
 * Carl; accept Ada's Basic credentials; reject 10 wrong keys of Bob from the address {@link GUESSER}.
 */
const recorded = JSON.parse(readFileSync(join(import.meta.dirname, 'redis-0.1.0.json'), 'utf8')) as {
  readonly baseUrl: string;
  readonly encryptionKey: string;
  readonly token: string;
  readonly sessions: Readonly<Record<'ada' | 'bob' | 'carl', string>>;
  readonly entries: Readonly<Record<string, Recorded>>;
};
const [ADA, BOB, CARL] = ['ada', 'bob', 'carl'].map((name) => ({
  username: `${name}@example.test`,
  secretKey: `${name}-secret-key`,
})) as [typeof APP, typeof APP, typeof APP];
const GUESSER = '198.51.100.7';
const encryptionKeys = [{ id: 'k1', key: recorded.encryptionKey }];

let redis: RedisServer;

beforeAll(async () => {
  redis = await RedisServer.start();
});
afterAll(() => redis[Symbol.asyncDispose]());
beforeEach(() => redis.client.flushall());

async function restore(): Promise<void> {
  for (const [key, { hash, list, string, lifeMs }] of Object.entries(recorded.entries)) {
    if (hash !== undefined) await redis.client.hset(key, hash);
    if (list !== undefined) await redis.client.rpush(key, ...list);
    if (string !== undefined) await redis.client.set(key, string);
    if (lifeMs !== undefined) await redis.client.pexpire(key, lifeMs);
  }
}

/** Boots an instance with the base URL and the encryption key of the recording. */
async function boot(): Promise<Instance & { readonly xpay: Awaited<ReturnType<typeof startXPayEmulator>> }> {
  const xpay = await startXPayEmulator({ accounts: [APP, ADA, BOB, CARL] });
  const agent = new Agent();
  agent.createConnection = () => connect(Number(new URL(xpay.url).port), '127.0.0.1');
  const instance = await new InstanceFactory(xpay, redis.url).boot({
    baseUrl: recorded.baseUrl,
    http: { allowInsecureHosts: [new URL(recorded.baseUrl).hostname], agent: { http: agent } },
    verification: { share: true },
    store: redisStore({ url: redis.url, encryptionKeys }),
  });
  const close = async (): Promise<void> => {
    await instance.close();
    await xpay.stop();
  };
  return { ...instance, xpay, close, [Symbol.asyncDispose]: close };
}

const guess = (i: number) => basic(BOB.username, `guess ${i}`).authorization;

describe('an update from version 0.1.0 with the same Redis', () => {
  it('C1 · uses the token of 0.1.0 without a login', async () => {
    await restore();
    await using app = await boot();
    expect((await app.tokens.getToken()).value).toBe(recorded.token);
    expect(app.xpay.requests()).toBe(0);
  });

  it('C5 · accepts the sessions of 0.1.0, except those that 0.1.0 has ended', async () => {
    await restore();
    await using app = await boot();
    const { ada, bob, carl } = recorded.sessions;
    expect(await app.who(`Bearer ${ada}`)).toBe(ADA.username);
    expect(await app.who(`Bearer ${bob}`)).toBe('invalid_token');
    expect(await app.who(`Bearer ${carl}`)).toBe('invalid_token');
    await app.sessions.revokeUser(ADA.username);
    expect(await app.who(`Bearer ${ada}`)).toBe('invalid_token');
  });

  it('C7 · uses the credentials that 0.1.0 has verified, without a check', async () => {
    await restore();
    await using app = await boot();
    expect(await app.who(basic(ADA.username, ADA.secretKey).authorization)).toBe(ADA.username);
    expect(app.xpay.requests()).toBe(0);
  });

  it('C6 · if 0.1.0 has locked out an address, rejects its attempts with 429 at once, and accepts the user from a trusted address', async () => {
    await restore();
    await using app = await boot();
    expect(await app.who(guess(11), GUESSER)).toBe('too_many_attempts');
    expect(app.xpay.requests()).toBe(0);
    expect(await app.who(basic(BOB.username, BOB.secretKey).authorization, '192.0.2.1')).toBe(BOB.username);
  });

  it('C6 · attempts that are still open at 0.1.0 lock no one out', async () => {
    await restore();
    await using app = await boot();
    const counters = Object.keys(recorded.entries).filter((key) => key.endsWith(':c'));
    expect(await app.who(guess(11), GUESSER)).toBe('too_many_attempts');
    // The script with which 0.1.0 refunds an attempt.
    for (const key of counters) await redis.client.hincrby(key, 'n', -1);
    expect(await app.who(basic(BOB.username, BOB.secretKey).authorization, GUESSER)).toBe(BOB.username);
  });
});

describe('the warning of version 0.1.0', () => {
  it('C5 · at boot, names the prefix in Redis and the steps, once', async () => {
    await restore();
    await using app = await boot();
    for (let i = 0; i < 2; i++) await app.sessions.revokeUser(CARL.username);
    const warnings = app.lines.filter((line) => line.includes('0.1.0'));
    expect(warnings).toEqual([
      expect.stringMatching(/prefix xpay:.*revokeUser.*scale\.md.*rotate the encryption key/s),
    ]);
  });

  it('C5 · is not logged if 0.1.0 has written no revocation', async () => {
    await using app = await boot();
    await app.sessions.revokeUser(CARL.username);
    await app.sessions.login(ADA, { address: '192.0.2.1' });
    expect(app.lines.filter((line) => line.includes('0.1.0'))).toEqual([]);
  });
});

describe('a rollback to version 0.1.0 with the same Redis', () => {
  it('C1 · C5 · C6 · writes the Redis keys that 0.1.0 reads, with the fields that 0.1.0 reads', async () => {
    await using app = await boot();
    await app.tokens.getToken();
    const address = '192.0.2.1';
    for (const user of [ADA, BOB]) await app.sessions.login(user, { address });
    const { accessToken } = await app.sessions.login(CARL, { address });
    await app.sessions.revokeUser(BOB.username);
    await app.sessions.logout(accessToken);
    expect(await app.who(basic(ADA.username, ADA.secretKey).authorization, address)).toBe(ADA.username);
    for (let i = 0; i < 10; i++) expect(await app.who(guess(i), GUESSER)).toBe('invalid_credentials');
    expect(logins(app.xpay)).toBe(1);

    const written = await redis.client.keys('*');
    // The names of sessions are random.
    const named = Object.keys(recorded.entries).filter((key) => kindOf(key, recorded.entries[key]?.hash) !== 'session');
    expect(written).toEqual(expect.arrayContaining(named));
    const shapes: Record<string, object> = {};
    for (const key of written.filter((one) => one.endsWith(':e'))) {
      const hash = await redis.client.hgetall(key);
      const kind = kindOf(key, hash);
      // An ended session has no fields.
      shapes[kind] = { ...shapes[kind], ...shapeOf(key, hash) };
    }
    for (const [key, { hash }] of Object.entries(recorded.entries)) {
      const kind = key.endsWith(':e') ? kindOf(key, hash) : 'none';
      if (kind !== 'none') expect([kind, shapes[kind]]).toEqual([kind, expect.objectContaining(shapeOf(key, hash))]);
    }
    const [log = ''] = named.filter((key) => key.endsWith(':r'));
    expect(userIn(await redis.client.lrange(log, 0, -1))).toEqual(userIn(recorded.entries[log]?.list));
  });
});

const codec = new Codec(keyRing(encryptionKeys), 'xpay:');
const KINDS = ['token', 'session', 'caller', 'welcome', 'pause'] as const;

function opened(key: string, hash: Recorded['hash']): { readonly kind: string; readonly value: string } {
  const name = /\{(.+)\}/.exec(key)?.[1] ?? '';
  for (const kind of KINDS) {
    const value = codec.open({ kind, name, generation: Number(hash?.['g']) }, hash?.['v'] ?? '');
    if (value !== undefined) return { kind, value };
  }
  // A counter, a log, or the place of an ended session.
  return { kind: hash?.['v'] === '' ? 'session' : 'none', value: '' };
}

function kindOf(key: string, hash: Recorded['hash']): string {
  return opened(key, hash).kind;
}

/** The type of each field of an entry. */
function shapeOf(key: string, hash: Recorded['hash']): object {
  const fields = JSON.parse(opened(key, hash).value || '{}') as Readonly<Record<string, unknown>>;
  return Object.fromEntries(Object.entries(fields).map(([field, value]) => [field, typeof value]));
}

/** The position and the index of the user in the first record of a log. */
function userIn([record = '']: readonly string[] = []): readonly string[] {
  return record.split('|').slice(0, 2);
}
