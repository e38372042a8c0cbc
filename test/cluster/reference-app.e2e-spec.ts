import { beforeAll, describe, expect, it } from '@jest/globals';
import { startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { ensureBuilt, spawnBuiltApp } from '../support/built-app.js';
import { ADA, APP, logins } from '../support/cluster.js';
import { newKey } from '../support/encryption-keys.js';
import { RedisServer } from '../support/redis-server.js';
import { bearer } from '../support/start-app.js';
import { until } from '../support/until.js';

beforeAll(ensureBuilt, 180_000);

function post(url: string, body: object, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  const json = { 'content-type': 'application/json' };
  return fetch(url, { method: 'POST', body: JSON.stringify(body), headers: { ...json, ...headers } });
}

describe('the reference app as three instances on one Redis', () => {
  it('C1 · C5 · logs in once upstream, logs a user out everywhere, and is degraded without Redis', async () => {
    await using redis = await RedisServer.start();
    await using xpay = await startXPayEmulator({ accounts: [APP, { ...ADA, scopes: ['tme_user', 'tme_admin'] }] });
    const environment = {
      XPAY_BASE_URL: xpay.url,
      XPAY_USERNAME: APP.username,
      XPAY_SECRET_KEY: APP.secretKey,
      XPAY_REDIS_URL: redis.url,
      XPAY_ENCRYPTION_KEYS: `k1:${newKey()}`,
    };
    await using one = await spawnBuiltApp(environment);
    await using two = await spawnBuiltApp(environment);
    await using three = await spawnBuiltApp(environment);
    const urls = await Promise.all(
      [one, two, three].map(async (app) => (await app.printed(/Listening on (http:\S+)/))[1] ?? ''),
    );

    const { username, secretKey } = ADA;
    const login = await post(`${urls[0]}/auth/login`, { username, secretKey });
    const { accessToken } = (await login.json()) as { accessToken: string };
    const statuses = (): Promise<number[]> =>
      Promise.all(urls.map(async (url) => (await fetch(`${url}/me`, { headers: bearer(accessToken) })).status));
    expect(await statuses()).toEqual([200, 200, 200]);
    for (const path of ['wallets/find', 'app/wallets/find']) {
      const found = await Promise.all(urls.map((url) => post(`${url}/${path}`, {}, bearer(accessToken))));
      expect(found.map(({ ok }) => ok)).toEqual([true, true, true]);
    }
    expect([logins(xpay, APP.username), logins(xpay, username)]).toEqual([1, 1]);

    await post(`${urls[1]}/auth/logout`, {}, bearer(accessToken));
    await until(async () => (await statuses()).every((status) => status === 401), 'logged out everywhere');

    const health = async () => (await (await fetch(`${urls[2]}/health`)).json()) as { status: string };
    expect(await health()).toMatchObject({ status: 'ok', token: { store: { state: 'ready' } } });
    await redis.kill();
    await until(async () => (await health()).status === 'degraded', 'degraded');
    await redis.resume();
    await until(async () => (await health()).status === 'ok', 'well again');
  });
});
