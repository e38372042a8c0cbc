import { describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { startReferenceApp } from '../support/reference-app.js';
import { basic, platforms } from '../support/start-app.js';

const USER = { username: 'user@example.test', secretKey: 'key-of-user-1', scopes: ['tme_user', 'tme_admin'] };
const APP = { username: 'this-app@example.test', secretKey: 'key-of-app-1' };
const headers = basic(USER.username, USER.secretKey);

it.each([
  ['/wallets/find', USER],
  ['/app/wallets/find', APP],
] as const)(
  'O11 · POST %s keeps working across the expiry of tokens that live 5 seconds',
  async (path, { username }) => {
    await using xpay = await startXPayEmulator({ accounts: [USER, APP], tokenLifeMs: 5_000 });
    await using app = await startReferenceApp('fastify', {
      XPAY_BASE_URL: xpay.url,
      XPAY_USERNAME: APP.username,
      XPAY_SECRET_KEY: APP.secretKey,
    });
    const statuses = new Set<number>();
    for (const end = Date.now() + 6_500; Date.now() < end; await sleep(100)) {
      statuses.add((await app.fetch(path, { method: 'POST', headers })).status);
    }
    expect([...statuses]).toEqual([200]);
    const calls = xpay.ledger.filter((entry) => entry.path === '/client/wallets/find');
    expect(calls.length).toBeGreaterThan(20);
    expect(new Set(calls.map(({ outcome, account }) => `${outcome} ${account}`))).toEqual(new Set([`ok ${username}`]));
    const grants = xpay.ledger.filter(({ account, outcome }) => account === username && outcome === 'granted');
    expect([2, 3]).toContain(grants.length);
  },
);

describe.each(platforms)('XPAY_BASE_URL without an account, on %s: a service that only verifies', (platform) => {
  it('authenticates callers, acts as them, and has no token of its own: 500 configuration', async () => {
    await using xpay = await startXPayEmulator({ accounts: [USER] });
    await using app = await startReferenceApp(platform, { XPAY_BASE_URL: xpay.url });
    expect((await app.fetch('/me', { headers })).status).toBe(200);
    expect((await app.fetch('/verify?scope=tme_user', { headers })).status).toBe(200);
    expect((await app.fetch('/me')).status).toBe(401);
    const answer = await app.fetch('/app/wallets/find', { method: 'POST', headers });
    expect(answer.status).toBe(500);
    expect(await answer.json()).toMatchObject({ errorCode: 'configuration', message: 'Internal server error' });
    expect(xpay.requests('/client/wallets/find')).toBe(0);
    expect((await app.fetch('/wallets/find', { method: 'POST', headers })).status).toBe(200);
  });
});

describe.each(platforms)('the reference app on %s, whose upstream fails', (platform) => {
  it.each([
    [{ kind: 'reset' }, 503, 'upstream_unavailable'],
    [{ kind: 'html502' }, 503, 'upstream_unavailable'],
    [{ kind: 'unavailable', retryAfter: 7 }, 503, 'upstream_unavailable'],
    [{ kind: 'rateLimited', retryAfter: 7 }, 503, 'upstream_rate_limited'],
    [{ kind: 'notJson' }, 502, 'upstream_malformed'],
    [{ kind: 'redirect', location: 'https://elsewhere.example.test/' }, 502, 'upstream_malformed'],
  ] as const)('I6 · %p is %d %s, never 401, and is not cached for the caller', async (fault, status, errorCode) => {
    await using xpay = await startXPayEmulator({ accounts: [USER] });
    await using app = await startReferenceApp(platform, { XPAY_BASE_URL: xpay.url });
    xpay.faults.next(fault);
    const answer = await app.fetch('/me', { headers });
    expect(answer.status).toBe(status);
    expect(answer.headers.has('www-authenticate')).toBe(false);
    expect(answer.headers.get('retry-after')).toBe('retryAfter' in fault ? '7' : status === 503 ? '1' : null);
    expect(await answer.json()).toMatchObject({ errorCode });
    // If the upstream sent a Retry-After, it is not called until then; otherwise the next caller causes a call.
    const asked = xpay.requests();
    expect((await app.fetch('/me', { headers })).status).toBe('retryAfter' in fault ? 503 : 200);
    expect(xpay.requests() - asked).toBe('retryAfter' in fault ? 0 : 1);
  });
});
