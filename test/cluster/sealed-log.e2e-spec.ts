import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type XPayEmulator, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { lengthPrefixed } from '../../libs/xpay-auth/src/core/credentials.js';
import { Codec } from '../../libs/xpay-auth/src/stores/codec.js';
import { keyRing } from '../../libs/xpay-auth/src/stores/key-ring.js';
import { ADA, APP, InstanceFactory } from '../support/cluster.js';
import { RedisServer } from '../support/redis-server.js';
import { until } from '../support/until.js';

const BOB = { username: 'bob@example.test', secretKey: 'bob-secret-key' };
const CARL = { username: 'carl@example.test', secretKey: 'carl-secret-key' };

let redis: RedisServer;
let xpay: XPayEmulator;
let instances: InstanceFactory;

beforeAll(async () => {
  redis = await RedisServer.start();
});
afterAll(() => redis[Symbol.asyncDispose]());
beforeEach(async () => {
  await redis.client.flushall();
  xpay = await startXPayEmulator({ accounts: [APP, ADA, BOB, CARL] });
  instances = new InstanceFactory(xpay, redis.url);
});
afterEach(() => xpay[Symbol.asyncDispose]());

const bearer = ({ accessToken }: { readonly accessToken: string }): string => `Bearer ${accessToken}`;

/** The key of the list that holds the records, oldest first. */
async function recordsKey(): Promise<string> {
  const [key = ''] = await redis.client.keys('*:r');
  return key;
}

/** Changes by an attacker who can write to Redis and has no key. The log holds the revocations of Ada, Bob and Bob again. */
const tampering: Readonly<Record<string, (key: string, records: readonly string[]) => Promise<unknown>>> = {
  'overwritten with a copy of another one': (key, [, bobs = '']) => redis.client.lset(key, 0, bobs),
  'overwritten with a copy of another one, with its own position': (key, [, bobs = '']) =>
    redis.client.lset(key, 0, bobs.replace(/^2/, '1')),
  'overwritten with a copy without its seal': (key, [, bobs = '']) =>
    redis.client.lset(key, 0, bobs.replace(/^2/, '1').split('|').slice(0, 3).join('|')),
  'overwritten with another name': (key, [adas = '', bobs = '']) =>
    redis.client.lset(key, 0, adas.replace(adas.split('|')[1] ?? '', bobs.split('|')[1] ?? '')),
  'deleted, and another one repeated': async (key, [adas = '', bobs = '']) => {
    await redis.client.lrem(key, 1, adas);
    await redis.client.lpush(key, bobs);
  },
};

describe('D8 · positions in the log of revocations are sealed', () => {
  it.each(Object.entries(tampering))(
    'D8 · a record that is %s ends all sessions before it, also on an instance that boots later',
    async (_, tamper) => {
      await using one = await instances.boot();
      const sessions = [await one.sessions.login(ADA), await one.sessions.login(CARL)];
      for (const { username } of [ADA, BOB, BOB]) await one.sessions.revokeUser(username);
      const later = await one.sessions.login(CARL);
      const key = await recordsKey();
      await tamper(key, await redis.client.lrange(key, 0, -1));
      await using booted = await instances.boot();
      const seen = await Promise.all(sessions.map((session) => booted.who(bearer(session))));
      expect(seen).toEqual(['invalid_token', 'invalid_token']);
      expect(booted.store.status().unreadable).toBeGreaterThan(0);
      expect(await booted.who(bearer(later))).toBe(CARL.username);
      // The instance that read the genuine record keeps to it.
      expect(await one.who(bearer(later))).toBe(CARL.username);
    },
  );

  it('D8 · a record that version 0.1.0 has appended is read, and ends the sessions of its user alone', async () => {
    await using one = await instances.boot();
    const [adas, carls] = [await one.sessions.login(ADA), await one.sessions.login(CARL)];
    await one.sessions.revokeUser(BOB.username);
    const log = lengthPrefixed(['default', 'xpay', xpay.url]);
    const codec = new Codec(keyRing(instances.encryptionKeys), 'xpay:');
    const index = codec.indexOf(`user ${ADA.username}`);
    const sealed = codec.seal({ kind: 'revocation', name: `${log} ${index}`, generation: 0 }, ADA.username);
    const key = await recordsKey();
    // At once, as the script of 0.1.0 did. Between the two, an instance would miss a record, and end all sessions.
    await redis.client.multi().hincrby(key.replace(/r$/, 'm'), 'n', 1).rpush(key, `2|${index}|${sealed}`).exec();
    await using booted = await instances.boot();
    for (const { who } of [one, booted]) {
      await until(async () => (await who(bearer(adas))) === 'invalid_token', 'Ada is revoked');
      expect(await who(bearer(carls))).toBe(CARL.username);
    }
    // A sealed one follows.
    await one.sessions.revokeUser(CARL.username);
    await until(async () => (await booted.who(bearer(carls))) === 'invalid_token', 'Carl is revoked');
    const again = await one.sessions.login(ADA);
    expect(await booted.who(bearer(again))).toBe(ADA.username);
  });
});
