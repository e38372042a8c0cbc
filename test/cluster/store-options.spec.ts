import { describe, expect, it } from '@jest/globals';
import type { Store, XPayAuthError } from 'nestjs-xpay-auth';
import { type RedisStoreOptions, redisStore } from 'nestjs-xpay-auth/redis';
import { newKey } from '../support/encryption-keys.js';

const [KEY, INDEX, OTHER_INDEX] = [newKey(), newKey(), newKey()];
/** No server listens at this port. */
const GIVEN = { url: 'redis://127.0.0.1:1', encryptionKeys: `k1:${KEY}` };

/** Opens a store with options that a program without type checks may pass. */
const open = (options: unknown): Store => redisStore(options as RedisStoreOptions);

/** Returns the name of a text in a store with these keys. */
async function nameIn(options: Partial<RedisStoreOptions>): Promise<string> {
  const store = open({ ...GIVEN, ...options });
  const name = store.indexOf('a text');
  await store.close();
  return name;
}

/** Returns the failure of options that must be refused. */
function refusalOf(options: unknown): XPayAuthError {
  let store: Store | undefined;
  try {
    store = open(options);
  } catch (thrown) {
    return thrown as XPayAuthError;
  }
  void store.close();
  throw new Error('The options were accepted');
}

describe('the options of redisStore', () => {
  const INVALID: readonly (readonly [string, unknown, RegExp])[] = [
    ...['commandTimeoutMs', 'connectTimeoutMs'].flatMap((option) =>
      [0, -1, 1.5, NaN, Infinity, 2 ** 31, '1000', null].map((value) => {
        const found = typeof value === 'string' ? 'a string' : String(value);
        const message = new RegExp(`^redisStore ${option}: expected an integer from 1 to \\d+, found ${found}$`);
        return [`${option} ${String(value)}`, { [option]: value }, message] as const;
      }),
    ),
    ['prefix 5', { prefix: 5 }, /^redisStore prefix: .*string/],
    ['prefix null', { prefix: null }, /^redisStore prefix: .*string/],
    ['a prefix with braces', { prefix: 'a{b}' }, /^redisStore prefix: .*braces/],
    ['an option with a wrong name', { commandTimeout: 500 }, /^redisStore commandTimeout: there is no such option/],
    [
      'a clock without methods',
      { clock: {} },
      /^redisStore clock: expected \{ now\(\), monotonic\(\), setTimer\(\) \}/,
    ],
    ['encryptionKeys 5', { encryptionKeys: 5 }, /encryptionKeys .*text or a list/],
    [
      'encryptionKeys that are an object',
      { encryptionKeys: { id: 'k1', key: KEY } },
      /encryptionKeys .*text or a list/,
    ],
    ['a key that is null', { encryptionKeys: [null] }, /encryptionKeys .*list of \{ id, key \}/],
    ['two keys with one id', { encryptionKeys: `k1:${KEY},k1:${INDEX}` }, /two keys are called "k1"/],
    [
      'two index keys',
      { encryptionKeys: `k1:${KEY},index:${INDEX},index:${OTHER_INDEX}` },
      /two keys are called "index"/,
    ],
    [
      'two different index keys',
      { encryptionKeys: `k1:${KEY},index:${INDEX}`, indexKey: OTHER_INDEX },
      /indexKey .*differs from the key "index"/,
    ],
  ];
  it.each(INVALID)('%s is refused, and the message contains no key', (_, options, message) => {
    const failure = refusalOf({ ...GIVEN, ...(options as object) });
    expect(failure).toMatchObject({ code: 'configuration', message: expect.stringMatching(message) });
    for (const key of [KEY, INDEX, OTHER_INDEX]) expect(failure.message).not.toContain(key);
  });

  it('no options are refused', () => {
    expect(refusalOf(undefined)).toMatchObject({ code: 'configuration' });
  });

  it('C4 · the index key is the same as an option and in the list of keys', async () => {
    const encryptionKeys = `k1:${KEY},index:${INDEX}`;
    const names = [{ encryptionKeys }, { indexKey: INDEX }, { encryptionKeys, indexKey: INDEX }];
    expect(new Set(await Promise.all(names.map(nameIn))).size).toBe(1);
    expect(await nameIn({ indexKey: OTHER_INDEX })).not.toBe(await nameIn({ indexKey: INDEX }));
  });
});
