import { beforeAll, describe, expect, it } from '@jest/globals';
import { startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { ensureBuilt, spawnBuiltApp } from '../support/built-app.js';
import { freePort } from '../support/free-port.js';
import { startReferenceApp } from '../support/reference-app.js';
import { basic, platforms } from '../support/start-app.js';

const USER = { username: 'user@example.test', secretKey: 'key-of-user-1', scopes: ['tme_user', 'tme_admin'] };
const APP = { username: 'this-app@example.test', secretKey: 'key-of-app-1' };
const asUser = basic(USER.username, USER.secretKey);

describe.each(platforms)('the reference app on %s', (platform) => {
  it('is ready and alive, without credentials and without upstream calls', async () => {
    await using xpay = await startXPayEmulator({ accounts: [USER, APP] });
    await using app = await startReferenceApp(platform, {
      XPAY_BASE_URL: xpay.url,
      XPAY_USERNAME: APP.username,
      XPAY_SECRET_KEY: APP.secretKey,
    });
    const ready = await app.fetch('/health/ready');
    expect(ready.status).toBe(200);
    expect(await ready.json()).toMatchObject({ status: 'ok', details: { xpay: { status: 'up', reasons: [] } } });
    expect(await (await app.fetch('/health')).json()).toMatchObject({ status: 'ok' });
    expect(xpay.requests()).toBe(0);
  });

  it('is alive but not ready while its app account is rejected and in backoff', async () => {
    await using xpay = await startXPayEmulator({ accounts: [USER, APP] });
    await using app = await startReferenceApp(platform, {
      XPAY_BASE_URL: xpay.url,
      XPAY_USERNAME: APP.username,
      XPAY_SECRET_KEY: 'not-the-key-1',
    });
    // After the second rejection in a row the backoff is 2 s, long enough for this check.
    for (
      let calls = 0;
      calls < 50 && xpay.ledger.filter(({ account }) => account === APP.username).length < 2;
      calls++
    ) {
      await app.fetch('/app/wallets/find', { method: 'POST', headers: asUser });
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const [ready, alive] = [await app.fetch('/health/ready'), await app.fetch('/health')];
    expect(ready.status).toBe(503);
    expect(await ready.json()).toMatchObject({ status: 'error', error: { xpay: { status: 'down' } } });
    expect(alive.status).toBe(200);
    expect(await alive.json()).toMatchObject({ status: 'down', token: { lastError: 'credentials_rejected' } });
  });
});

describe('the built reference app', () => {
  beforeAll(ensureBuilt, 180_000);

  it('serves metrics on METRICS_PORT, on loopback, and not on the port of the app', async () => {
    await using xpay = await startXPayEmulator({ accounts: [USER, APP] });
    const port = await freePort();
    const account = { XPAY_USERNAME: APP.username, XPAY_SECRET_KEY: APP.secretKey };
    const environment = { XPAY_BASE_URL: xpay.url, ...account, METRICS_PORT: String(port) };
    await using app = await spawnBuiltApp(environment);
    const [, url = ''] = await app.printed(/Listening on (http:\S+)/);
    const [, address = ''] = await app.printed(/Metrics on (http:\S+)/);
    expect(address).toBe(`http://127.0.0.1:${port}/metrics`);
    for (let i = 0; i < 3; i++) expect((await fetch(`${url}/me`, { headers: asUser })).status).toBe(200);
    const page = await (await fetch(address)).text();
    expect(page).toMatch(/^xpay_auth_requests_total\{.*xpay_auth_outcome="admitted".*\} 3$/m);
    expect(page).toMatch(/^xpay_auth_cache_hits_total\{.*xpay_auth_cache_level="memory".*\} 2$/m);
    expect(page).toMatch(/^target_info\{.*service_name="xpay-auth".*\} 1$/m);
    expect(page).not.toContain(USER.username);
    expect((await fetch(`${url}/metrics`)).status).toBe(404);
  });
});
