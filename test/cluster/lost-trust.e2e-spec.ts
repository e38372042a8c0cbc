import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type XPayEmulator, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { ADA, APP, type Instance, InstanceFactory, logins } from '../support/cluster.js';
import { RedisServer } from '../support/redis-server.js';
import { basic } from '../support/start-app.js';
import { until } from '../support/until.js';

const HOUR = 3_600_000;
/** The owner's address. */
const HOME = '192.0.2.7';
const LIMIT = 5;

let redis: RedisServer;
let xpay: XPayEmulator;
let instances: InstanceFactory;

beforeAll(async () => {
  redis = await RedisServer.start();
});
afterAll(() => redis[Symbol.asyncDispose]());
beforeEach(async () => {
  await redis.client.flushall();
  xpay = await startXPayEmulator({ accounts: [APP, ADA] });
  instances = new InstanceFactory(xpay, redis.url, { attempts: { perUser: { attempts: LIMIT, windowMs: HOUR } } });
});
afterEach(() => xpay[Symbol.asyncDispose]());

/** An instance that has read the store. */
async function boot(): Promise<Instance> {
  const instance = await instances.boot();
  await instance.who('Bearer unknown');
  return instance;
}

const asAda = (secretKey = ADA.secretKey): string => basic(ADA.username, secretKey).authorization;

/** An attacker fails from a new address with every guess, until the budget of the user is used up. */
async function useUpBudget({ who }: Instance): Promise<void> {
  for (let i = 0; i < LIMIT; i++) expect(await who(asAda(`guess ${i}`), `198.51.100.${i}`)).toBe('invalid_credentials');
}

/** Changes the key, so that no instance has the owner in its cache. */
function rotateKey(): string {
  const secretKey = `a new key ${Math.random()}`;
  xpay.setSecret(ADA.username, secretKey);
  return asAda(secretKey);
}

/** Only a trusted address is kept for 30 days. */
async function hasTrustedAddress(): Promise<boolean> {
  const { client } = redis;
  const lives = await Promise.all((await client.keys('*')).map((key) => client.pttl(key)));
  return lives.some((lifeMs) => lifeMs > 29 * 24 * HOUR);
}

/** Deletes everything, once the address of the owner is there. */
async function loseData(): Promise<void> {
  await until(hasTrustedAddress, 'the address is written');
  await redis.client.flushall();
}

/** Repeats a request of the owner that gets 503: the other instance may need longer on a busy machine. */
async function served(who: () => Promise<string>): Promise<string> {
  let outcome = '';
  await until(async () => (outcome = await who()) !== 'store_unavailable', 'the store is complete');
  return outcome;
}

describe('I5 D9 · after Redis has lost its data', () => {
  it('accepts the owner on every instance while guesses use up the budget of the user on one', async () => {
    await using one = await boot();
    await using other = await boot();
    expect(await one.who(asAda(), HOME)).toBe(ADA.username);
    await loseData();
    await useUpBudget(other);
    expect(await served(() => other.who(asAda(), HOME))).toBe(ADA.username);
    const rotated = rotateKey();
    expect(await one.who(rotated, HOME)).toBe(ADA.username);
    expect(await other.who(rotated, HOME)).toBe(ADA.username);
  });

  it('accepts the owner on an instance that knows only the failures from before', async () => {
    await using one = await boot();
    await using other = await boot();
    expect(await one.who(asAda(), HOME)).toBe(ADA.username);
    await useUpBudget(other);
    await loseData();
    expect(await served(() => other.who(asAda(), HOME))).toBe(ADA.username);
  });

  it('accepts the owner on an instance that starts later, also when the other instances have stopped', async () => {
    {
      await using one = await boot();
      expect(await one.who(asAda(), HOME)).toBe(ADA.username);
      await loseData();
      await until(hasTrustedAddress, 'the address is written again');
    }
    await using late = await boot();
    await useUpBudget(late);
    expect(await late.who(asAda(), HOME)).toBe(ADA.username);
  });

  it('gives an attacker no further guesses', async () => {
    await using one = await boot();
    await using other = await boot();
    expect(await one.who(asAda(), HOME)).toBe(ADA.username);
    await useUpBudget(other);
    const calls = logins(xpay, ADA.username);
    await loseData();
    expect(await served(() => other.who(asAda('one more guess'), '203.0.113.5'))).toBe('too_many_attempts');
    expect(logins(xpay, ADA.username)).toBe(calls);
  });
});
