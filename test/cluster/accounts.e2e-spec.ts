import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Test, type TestingModule } from '@nestjs/testing';
import {
  AccessToken,
  type Credentials,
  type Dialect,
  XPayAuthError,
  XPayAuthModule,
  XPayTokenService,
  xPay,
} from 'nestjs-xpay-auth';
import { Redis } from 'ioredis';
import { redisStore } from 'nestjs-xpay-auth/redis';
import { collector } from '../outbound/outbound.js';
import { newKey } from '../support/encryption-keys.js';
import { PATIENT } from '../support/redis-clients.js';
import { RedisServer } from '../support/redis-server.js';
import { until } from '../support/until.js';

const ACCOUNTS = 10_000;
const INSTANCES = 4;
/** Accounts that request a token at once on one instance. */
const AT_ONCE = 250;

const idOf = (number: number): string => `merchant-${number}`;
const credentialsOf = (id: string): Credentials => ({ username: `${id}@example.test`, secretKey: `key-of-${id}` });

let redis: RedisServer;
const encryptionKeys = [{ id: 'k1', key: newKey() }];

beforeAll(async () => {
  redis = await RedisServer.start();
}, 120_000);
afterAll(() => redis[Symbol.asyncDispose]());
beforeEach(async () => void (await redis.client.flushall()));

/** An upstream in this process, which counts the logins of each account. */
class CountingUpstream {
  readonly logins = new Map<string, number>();
  rejects = false;

  readonly dialect: Dialect = {
    ...xPay(),
    name: 'counting',
    authenticate: async ({ username }) => {
      const count = (this.logins.get(username) ?? 0) + 1;
      this.logins.set(username, count);
      if (this.rejects) throw new XPayAuthError('invalid_credentials', 'rejected');
      const accessToken = new AccessToken(`token ${count} of ${username}`);
      return { accessToken, username, scopes: [], isAPI: true, lifeMs: 3_600_000 };
    },
  };

  get total(): number {
    return [...this.logins.values()].reduce((sum, count) => sum + count, 0);
  }
}

interface Instances extends AsyncDisposable {
  readonly all: readonly XPayTokenService[];
}

async function boot(upstream: CountingUpstream, maxEntries: readonly number[]): Promise<Instances> {
  const modules: TestingModule[] = [];
  for (const max of maxEntries) {
    const module = await Test.createTestingModule({
      imports: [
        XPayAuthModule.forRoot({
          dialect: upstream.dialect,
          baseUrl: 'http://127.0.0.1:9',
          accounts: { credentials: credentialsOf, maxEntries: max },
          token: { rejectedRetryMs: { min: 60_000, max: 60_000 } },
          store: redisStore({ url: redis.url, encryptionKeys, ...PATIENT }),
        }),
      ],
    })
      .setLogger(collector([]))
      .compile();
    modules.push(await module.init());
  }
  return {
    all: modules.map((module) => module.get(XPayTokenService)),
    [Symbol.asyncDispose]: async () => void (await Promise.all(modules.map((module) => module.close()))),
  };
}

describe('accounts known only at run time, on one Redis', () => {
  it('M4 · 10,000 accounts on 4 instances cause 10,000 logins, also where few tokens are in memory', async () => {
    const upstream = new CountingUpstream();
    await using instances = await boot(upstream, [ACCOUNTS, ACCOUNTS, 1_000, 100]);
    const wrong: string[] = [];
    const use = async (tokens: XPayTokenService, ids: readonly string[]): Promise<void> => {
      const ask = async (id: string): Promise<void> => {
        const { value } = await tokens.forAccount(id).getToken();
        if (value !== `token 1 of ${credentialsOf(id).username}`) wrong.push(`${id}: ${value}`);
      };
      await Promise.all(ids.map(ask));
    };
    for (let block = 0; block < ACCOUNTS / AT_ONCE; block++) {
      const ids = Array.from({ length: AT_ONCE }, (_, at) => idOf(block * AT_ONCE + at));
      // For a quarter of the accounts, all instances need the token at once. For the others, one instance comes first.
      if (block % INSTANCES === 0) await Promise.all(instances.all.map((tokens) => use(tokens, ids)));
      else for (let at = 0; at < INSTANCES; at++) await use(instances.all[(block + at) % INSTANCES] as never, ids);
    }
    expect([wrong, upstream.logins.size, upstream.total]).toEqual([[], ACCOUNTS, ACCOUNTS]);

    const early = Array.from({ length: 200 }, (_, number) => idOf(number));
    await Promise.all(instances.all.flatMap((tokens) => early.map((id) => tokens.forAccount(id).getToken())));
    expect(upstream.total).toBe(ACCOUNTS);

    const channels = (await redis.client.pubsub('CHANNELS')) as string[];
    // One for the tokens of all accounts, and two for sessions and revocations.
    expect(channels).toHaveLength(3);
    const names = await redis.client.keys('*');
    expect([...channels, ...names].filter((name) => name.includes('merchant'))).toEqual([]);
  }, 300_000);

  it('M4 · the calls of many accounts share one wait for the first connection', async () => {
    const client = new Redis(redis.port, '127.0.0.1', { lazyConnect: true, enableOfflineQueue: false });
    const store = redisStore({ client, encryptionKeys, ...PATIENT });
    const before = client.listenerCount('ready');
    const reads = Array.from({ length: 100 }, (_, at) => store.read({ kind: 'token', id: idOf(at) }));
    expect(client.listenerCount('ready')).toBe(before + 1);
    await Promise.all(reads);
    expect(client.listenerCount('ready')).toBe(before);
    await store.close();
    client.disconnect();
  });

  it('M4 · a rejected token is dropped on every instance, and its account logs in once more', async () => {
    const upstream = new CountingUpstream();
    await using instances = await boot(upstream, Array<number>(INSTANCES).fill(10));
    const on = (id: string) => instances.all.map((tokens) => tokens.forAccount(id));
    for (const id of ['a', 'b']) await Promise.all(on(id).map((account) => account.getToken()));
    const [first] = on('a');
    await first?.invalidate(first.peek() ?? '');
    await until(() => on('a').every((account) => account.peek() === undefined), 'all have dropped the token');
    expect(on('b').every((account) => account.peek() !== undefined)).toBe(true);
    const renewed = await Promise.all(on('a').map((account) => account.getToken()));
    expect(new Set(renewed.map(({ value }) => value))).toEqual(new Set(['token 2 of a@example.test']));
    expect([...upstream.logins.values()]).toEqual([2, 1]);
  });

  it('M4 · a token that was evicted before its rejection is not read from the store again', async () => {
    const upstream = new CountingUpstream();
    await using instances = await boot(upstream, [1]);
    const [tokens] = instances.all;
    const account = tokens?.forAccount('a');
    const token = await account?.getToken();
    await tokens?.forAccount('b').getToken();
    await account?.invalidate(token ?? '');
    expect((await account?.getToken())?.value).toBe('token 2 of a@example.test');
  });

  it('M4 · an evicted account whose earlier token was rejected reads its newest token from the store', async () => {
    const upstream = new CountingUpstream();
    await using instances = await boot(upstream, [1]);
    const [tokens] = instances.all;
    const account = tokens?.forAccount('a');
    await account?.invalidate((await account.getToken()).value);
    const newest = await account?.getToken();
    // The token is written to the store in the background.
    await until(async () => (await redis.client.keys('*:e')).length === 1, 'the token is in the store');
    await until(async () => (await redis.client.keys('*:l')).length === 0, 'the lease is released');
    await tokens?.forAccount('b').getToken();
    expect(account?.peek()).toBeUndefined();
    expect((await account?.getToken())?.value).toBe(newest?.value);
    expect(upstream.logins.get('a@example.test')).toBe(2);
  });

  it('M4 · a rejected account causes one login of all instances in the period', async () => {
    const upstream = new CountingUpstream();
    upstream.rejects = true;
    await using instances = await boot(upstream, [1, 1, 1, 1]);
    const ids = ['a', 'b', 'c'];
    for (const id of [...ids, ...ids, ...ids]) {
      const asked = instances.all.map((tokens) => tokens.forAccount(id).getToken());
      const codes = (await Promise.allSettled(asked)).map(
        (one) => 'reason' in one && (one.reason as XPayAuthError).code,
      );
      expect(codes).toEqual(Array(INSTANCES).fill('credentials_rejected'));
    }
    expect(upstream.total).toBe(ids.length);
  });
});
