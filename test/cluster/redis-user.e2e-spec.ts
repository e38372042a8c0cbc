import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { redisStore } from 'nestjs-xpay-auth/redis';
import { startXPayEmulator, storeContract } from 'nestjs-xpay-auth/testing';
import { readFileSync } from 'node:fs';
import { ADA, APP, InstanceFactory } from '../support/cluster.js';
import { newKey } from '../support/encryption-keys.js';
import { PATIENT } from '../support/redis-clients.js';
import { RedisServer } from '../support/redis-server.js';
import { until } from '../support/until.js';

/** The rights in docs/scale.md, from `~xpay:*` on. */
const RIGHTS = (/^user app .*? (~.*)$/m.exec(readFileSync('docs/scale.md', 'utf8'))?.[1] ?? '').split(' ');
const token = { kind: 'token', id: 'an account' } as const;

let redis: RedisServer;

beforeAll(async () => {
  redis = await RedisServer.start();
});

afterAll(() => redis[Symbol.asyncDispose]());

/** Returns the url of a user with these rights. */
async function user(rights: readonly string[]): Promise<string> {
  await redis.client.call('ACL', 'SETUSER', 'app', 'reset', 'on', '>password', 'resetchannels', ...rights);
  await redis.client.call('ACL', 'LOG', 'RESET');
  return redis.url.replace('//', '//app:password@');
}

describe('S2 · a user of Redis with the rights that docs/scale.md lists', () => {
  for (const { title, run } of storeContract('as that user', async () => {
    await redis.client.flushall();
    const url = await user(RIGHTS);
    const encryptionKeys = [{ id: 'k1', key: newKey() }];
    return { open: () => redisStore({ url, encryptionKeys, ...PATIENT }), stop: () => undefined };
  })) {
    it(title, run);
  }

  it('has no right that is not used, and lacks none', async () => {
    const url = await user(RIGHTS);
    await redis.client.flushall();
    await redis.client.config('RESETSTAT');
    await redis.client.script('FLUSH');
    await using xpay = await startXPayEmulator({ accounts: [APP, ADA] });
    const instances = new InstanceFactory(xpay, url);
    await using one = await instances.boot();
    await using other = await instances.boot();
    await one.tokens.getToken();
    const { accessToken } = await one.sessions.login(ADA);
    expect(await other.who(`Bearer ${accessToken}`)).toBe(ADA.username);
    await other.sessions.logout(accessToken);
    await one.sessions.revokeUser(ADA.username);
    await one.store.renewEpoch('a log', 'an epoch');
    expect(await one.store.count('x', 1_000).then(({ window }) => one.store.uncount('x', window))).toBeUndefined();
    expect(await redis.client.call('ACL', 'LOG')).toEqual([]);
    const stats = await redis.client.info('commandstats');
    const used = new Set([...stats.matchAll(/^cmdstat_(\w+):/gm)].map(([, command]) => `+${command}`));
    const commands = RIGHTS.filter((right) => right.startsWith('+'));
    expect(commands.length).toBeGreaterThan(10);
    expect(commands.filter((right) => !used.has(right))).toEqual([]);
  });
});

describe('S2 · a user of Redis without the right to its channels', () => {
  it('costs one warning that names the right, and no outage', async () => {
    const url = await user(['~*', '+@all']);
    await using xpay = await startXPayEmulator({ accounts: [APP, ADA] });
    const instances = new InstanceFactory(xpay, url);
    await using one = await instances.boot();
    await using other = await instances.boot();
    const { accessToken } = await one.sessions.login(ADA);
    expect(await other.who(`Bearer ${accessToken}`)).toBe(ADA.username);
    await one.sessions.revokeUser(ADA.username);
    await one.sessions.revokeUser(ADA.username);
    await one.tokens.getToken();
    expect(one.store.status()).toMatchObject({ state: 'ready' });
    await one.sessions.login(ADA);
    await until(async () => (await other.who(`Bearer ${accessToken}`)) === 'invalid_token', 'the other one polls');
    const lines = [...one.lines, ...other.lines];
    // Each instance opens a separate store.
    const once = expect.stringMatching(/NOPERM.*&xpay:\*/);
    expect(lines.filter((line) => line.includes('NOPERM'))).toEqual([once, once]);
    expect(lines.filter((line) => line.includes('is away'))).toEqual([]);
  });

  it('without the right to its keys, it is not ready, and one warning names the right', async () => {
    const url = await user(['~other:*', '&*', '+@all']);
    await using store = Object.assign(redisStore({ url, encryptionKeys: [{ id: 'k1', key: newKey() }] }), {
      [Symbol.asyncDispose]: () => store.close(),
    });
    const notices: unknown[] = [];
    store.onNotice((notice) => notices.push(notice));
    await expect(store.read(token)).rejects.toMatchObject({ code: 'store_unavailable' });
    await expect(store.readLog('log', 0)).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(store.status()).toMatchObject({ state: 'misconfigured', reason: expect.stringContaining('NOPERM') });
    expect(notices).toEqual([{ type: 'warning', message: expect.stringContaining('~xpay:*') }]);
    await user(['~xpay:*', '&*', '+@all']);
    await store.readLog('log', 0);
    expect(store.status()).toMatchObject({ state: 'ready', reason: undefined });
  });
});
