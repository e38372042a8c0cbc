import { describe, expect, it } from '@jest/globals';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { XPayAuthError, xPay } from 'nestjs-xpay-auth';
import { type Fault, xpayMalformed } from 'nestjs-xpay-auth/testing';
import { ada, asAda, startInbound } from '../support/inbound-app.js';
import { basic, platforms } from '../support/start-app.js';

type Row = readonly [what: string, fault: Fault, status: number, errorCode: string];

const rows: readonly Row[] = [
  ['a reset connection', { kind: 'reset' }, 503, 'upstream_unavailable'],
  ['503', { kind: 'unavailable' }, 503, 'upstream_unavailable'],
  ["a proxy's 502 page", { kind: 'html502' }, 503, 'upstream_unavailable'],
  ['429', { kind: 'rateLimited' }, 503, 'upstream_rate_limited'],
  ['an empty 200', { kind: 'empty' }, 502, 'upstream_malformed'],
  ['200 that is not JSON', { kind: 'notJson' }, 502, 'upstream_malformed'],
  ['401 without an envelope', { kind: 'status', status: 401 }, 502, 'upstream_malformed'],
  ['403 without an envelope', { kind: 'status', status: 403, body: 'Forbidden' }, 502, 'upstream_malformed'],
  ['404', { kind: 'status', status: 404, body: 'invalid credentials' }, 502, 'upstream_malformed'],
  ['a redirect', { kind: 'redirect', location: 'http://127.0.0.1:1/' }, 502, 'upstream_malformed'],
  ['a body that never ends', { kind: 'oversized', bytes: 2_000_000 }, 502, 'upstream_malformed'],
  ['success and error at once', xpayMalformed.bothKeys, 502, 'upstream_malformed'],
  ['neither success nor error', xpayMalformed.noKeys, 502, 'upstream_malformed'],
  ['no user', xpayMalformed.noUser, 502, 'upstream_malformed'],
  ['no token', xpayMalformed.noToken, 502, 'upstream_malformed'],
  ['an inner success of false', xpayMalformed.innerFalse, 502, 'upstream_malformed'],
  ['an expiry in the past', xpayMalformed.expiryInThePast, 502, 'upstream_malformed'],
  ['an expiry in seconds', xpayMalformed.expiryInSeconds, 502, 'upstream_malformed'],
  ['an expiry that is a string', xpayMalformed.expiryIsText, 502, 'upstream_malformed'],
];

describe.each(platforms)('failures of the upstream on %s', (platform) => {
  it('I6 · accepts a user name of 4,096 bytes from the upstream, as long as the one that a caller may present', async () => {
    const account = { username: 'ä'.repeat(2_048), secretKey: 'key', scopes: [] };
    await using app = await startInbound(platform, { accounts: [account] });
    expect(await app.status('/me', basic(account.username, account.secretKey))).toBe(200);
  });

  it.each(rows)('I6 · %s: %#', async (_what, fault, status, errorCode) => {
    await using app = await startInbound(platform);
    app.xpay.faults.always(fault);
    for (const path of ['/me', '/optional']) {
      const answer = await app.fetch(path, { headers: asAda });
      expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([status, null]);
      expect(answer.headers.get('retry-after')).toBe(status === 503 ? '1' : null);
      expect(answer.headers.get('cache-control')).toBe('no-store');
      expect(await answer.json()).toMatchObject({ statusCode: status, errorCode });
    }
    // A failure is not a rejection: when it has ended, the same credentials are accepted.
    app.xpay.faults.clear();
    // A 429 without Retry-After causes a cooldown of a second (D3).
    if (errorCode === 'upstream_rate_limited') await app.clock.advance(1_000);
    expect(await app.status('/me', asAda)).toBe(200);
  });

  it('I6 · a business error is not a rejection: 502, not cached', async () => {
    await using app = await startInbound(platform);
    app.xpay.businessError('maintenance');
    const answer = await app.fetch('/me', { headers: asAda });
    expect([answer.status, await answer.json()]).toMatchObject([502, { errorCode: 'upstream_business_error' }]);
    expect(await app.status('/me', asAda)).toBe(200);
  });

  it('I6 · no response within the deadline is 504; a cached caller is not affected', async () => {
    await using app = await startInbound(platform);
    await app.status('/me', asAda);
    app.xpay.faults.always({ kind: 'hang' });
    await app.clock.advance(59_999);
    expect(await app.status('/me', asAda)).toBe(200);
    await app.xpay.waitForRequests(2);
    await app.clock.advance(5_000);
    const late = app.fetch('/me', { headers: asAda });
    await app.xpay.waitForRequests(3);
    await app.clock.advance(5_000);
    expect([(await late).status, await (await late).json()]).toMatchObject([504, { errorCode: 'upstream_timeout' }]);
  });

  it('I6 · Retry-After of the upstream is passed on', async () => {
    await using app = await startInbound(platform);
    app.xpay.faults.next({ kind: 'unavailable', retryAfter: 17 });
    const answer = await app.fetch('/me', { headers: asAda });
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '17']);
  });

  it('I6 · an unreachable upstream: cached callers are accepted until their period ends, others get 503', async () => {
    await using app = await startInbound(platform);
    await app.status('/me', asAda);
    await app.xpay.pause();
    await app.clock.advance(30_000);
    expect(await app.status('/me', asAda)).toBe(200);
    await app.clock.advance(30_000);
    expect(await app.status('/me', asAda)).toBe(503);
  });

  it.each([
    'missing_credentials',
    'invalid_token',
    'invalid_request',
    'insufficient_scope',
    'too_many_attempts',
  ] as const)('I6 · a dialect that throws %s has failed: 502', async (code) => {
    const dialect = {
      ...xPay(),
      authenticate: () => Promise.reject(new XPayAuthError(code, 'not for a dialect to say')),
    };
    await using app = await startInbound(platform, { options: { dialect } });
    expect(await app.status('/me', asAda)).toBe(502);
  });

  it('I6 · an app that shuts down responds to waiting callers', async () => {
    const app = await startInbound(platform);
    app.xpay.faults.always({ kind: 'hang' });
    const waiting = app.fetch('/me', { headers: asAda });
    await app.xpay.waitForRequests(1);
    const stopped = app.stop();
    expect([(await waiting).status, await (await waiting).json()]).toMatchObject([503, { errorCode: 'shutting_down' }]);
    await stopped;
    await app.xpay.stop();
  });

  it('B12 · an upstream that echoes the key: no error, log line or response contains it', async () => {
    await using app = await startInbound(platform);
    const echo = `Field required: {"username":"${ada.username}","secretKey":"${ada.secretKey}"}`;
    app.xpay.faults.next({ kind: 'status', status: 422, body: { detail: [{ input: echo, msg: echo }] } });
    app.xpay.faults.next({ kind: 'status', status: 422, body: { error: { message: echo, data: { input: echo } } } });
    app.xpay.faults.next({ kind: 'status', status: 400, body: { error: { message: `${'x'.repeat(195)}${echo}` } } });
    app.xpay.businessError(echo);
    app.xpay.businessError(`${'x'.repeat(190)}${ada.secretKey}`);
    const told: string[] = [];
    for (let i = 0; i < 5; i++) {
      const answer = await app.fetch('/me', { headers: asAda });
      expect(answer.status).toBe(502);
      told.push(JSON.stringify([...answer.headers]), await answer.text());
    }
    told.push(...app.logged, JSON.stringify(app.events));
    for (const piece of [ada.secretKey, ada.secretKey.slice(0, 8)]) expect(told.join('\n')).not.toContain(piece);
  });

  it('B14 · a redirect of the upstream is not followed, so the credentials are sent to no other host', async () => {
    let visits = 0;
    const stranger = createServer((_request, response) => {
      visits++;
      response.end('{}');
    });
    await new Promise<void>((ready) => void stranger.listen(0, '127.0.0.1', ready));
    const location = `http://127.0.0.1:${(stranger.address() as AddressInfo).port}/client/authenticate`;
    try {
      await using app = await startInbound(platform);
      for (const status of [301, 302, 303, 307, 308]) {
        app.xpay.faults.next({ kind: 'redirect', location, status });
        expect(await app.status('/me', asAda)).toBe(502);
      }
      expect([visits, app.asked()]).toEqual([0, 5]);
    } finally {
      stranger.close();
    }
  });
});
