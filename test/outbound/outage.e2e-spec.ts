import { describe, expect, it } from '@jest/globals';
import { figure } from './figures.js';
import { COUNTED_HOUR_MS, HOUR_MS, failureOf, served, startOutbound, until } from './outbound.js';

describe('an upstream that fails', () => {
  it.each([0.76, 0.9, 0.99])(
    'O5 · down, with the token at %d of its lifetime: every caller is served',
    async (share) => {
      await using app = await startOutbound();
      await app.tokens.getToken();
      await app.clock.advance(share * HOUR_MS);
      await app.xpay.pause();
      const failed = (): number => app.events.filter(({ type }) => type === 'refresh-failed').length;
      await app.tokens.getToken();
      await until(() => failed() === 1);
      const count = await served(200, () => app.tokens.getToken());
      expect(count).toBe(200);
      expect(failed()).toBe(1);
      figure(
        'O5',
        `200 callers, upstream down, ${Math.round((1 - share) * 100)} % of the lifetime left`,
        `${count}/200 served, ${failed()} request`,
      );
      await app.xpay.resume();
    },
  );

  it('O5 · the token is served down to the hard margin, and not a ms beyond', async () => {
    await using app = await startOutbound();
    const token = await app.tokens.getToken();
    app.xpay.faults.always({ kind: 'reset' });
    await app.clock.advance(COUNTED_HOUR_MS - 30_000 - 1);
    expect(await app.tokens.getToken()).toBe(token);
    expect(app.tokens.peek()).toBe(token);
    await until(() => app.events.length === 2);
    await app.clock.advance(1);
    expect(app.tokens.peek()).toBeUndefined();
    expect(await failureOf(app.tokens.getToken())).toMatchObject({ code: 'upstream_unavailable' });
  });

  it('O5 · background attempts are spread out: 1 to 30 s apart for any number of callers', async () => {
    await using app = await startOutbound();
    await app.tokens.getToken();
    app.xpay.faults.always({ kind: 'unavailable' });
    await app.clock.advance(0.76 * HOUR_MS);
    const attempts: number[] = [];
    let logins = app.logins();
    for (let s = 0; s < 600; s++) {
      await served(5, () => app.tokens.getToken());
      await app.clock.advance(1_000);
      if (app.logins() !== logins) attempts.push(s);
      logins = app.logins();
    }
    // Full jitter with a growing bound: 30 s at most, 15.5 s on average once it has grown.
    expect(attempts.length).toBeGreaterThan(600 / 31);
    expect(attempts.length).toBeLessThan(100);
    figure('O5', 'upstream down for 600 s, 3,000 calls', `${attempts.length} requests`);
  });

  it('O5 · an API that fails does not touch the token', async () => {
    await using app = await startOutbound();
    const token = await app.tokens.getToken();
    app.xpay.faults.always({ kind: 'html502' });
    await failureOf(app.http.post('/client/wallets/find', {}));
    expect(app.tokens.peek()).toBe(token);
  });

  it('O9 · past the margin there is one attempt at once, then at most a second between attempts, and callers fail at once', async () => {
    await using app = await startOutbound();
    await app.tokens.getToken();
    await app.clock.advance(COUNTED_HOUR_MS - 31_000);
    app.xpay.faults.always({ kind: 'unavailable' });
    await app.tokens.getToken();
    await until(() => app.events.length === 2);
    const behind = app.logins();
    const attempts: number[] = [];
    for (let ms = 0; ms < 10_000; ms += 100) {
      const logins = app.logins();
      await app.tokens.getToken().catch(() => undefined);
      await app.clock.advance(100);
      if (app.logins() !== logins) attempts.push(ms);
    }
    expect(behind).toBe(2);
    const gaps = attempts.map((at, i) => at - (attempts[i - 1] ?? 0));
    expect(Math.max(...gaps)).toBeLessThanOrEqual(1_000);
    // The backoff continues where that of the background attempts ended, and reaches a second.
    expect(attempts.length).toBeLessThanOrEqual(16);
    // The upstream recovers just after an attempt, so the next one is up to a second away.
    await failureOf(app.tokens.getToken());
    app.xpay.faults.clear();
    let failed = 0;
    while ((await served(1, () => app.tokens.getToken())) === 0) {
      failed += 100;
      await app.clock.advance(100);
    }
    expect(failed).toBeLessThanOrEqual(1_000);
    figure('O9', 'upstream available again after the hard margin: time until a call succeeds', `${failed / 1_000} s`);
  });

  it('O9 · an upstream that never responds is called again as soon as the request has timed out', async () => {
    await using app = await startOutbound({ token: { deadlineMs: 2_000 } });
    app.xpay.faults.next({ kind: 'hang' });
    const first = failureOf(app.tokens.getToken());
    await app.xpay.waitForRequests(1);
    await app.clock.advance(2_000);
    expect(await first).toMatchObject({ code: 'upstream_timeout' });
    await expect(app.tokens.getToken()).resolves.toBeDefined();
  });

  it('O13 · Retry-After is followed while a token is cached', async () => {
    await using app = await startOutbound();
    await app.tokens.getToken();
    await app.clock.advance(0.76 * HOUR_MS);
    app.xpay.faults.next({ kind: 'rateLimited', retryAfter: 120 });
    await app.tokens.getToken();
    await until(() => app.events.length === 2);
    expect(app.tokens.status()).toMatchObject({
      lastError: 'upstream_rate_limited',
      nextRefreshAt: app.clock.now() + 120_000,
    });
    await app.clock.advance(119_999);
    expect(await served(50, () => app.tokens.getToken())).toBe(50);
    expect(app.logins()).toBe(2);
    await app.clock.advance(1);
    await app.tokens.getToken();
    await until(() => app.events.length === 3);
    expect(app.logins()).toBe(3);
  });

  it('O13 · Retry-After is capped by the remaining lifetime of the token', async () => {
    await using app = await startOutbound();
    await app.tokens.getToken();
    await app.clock.advance(COUNTED_HOUR_MS - 60_000);
    const askedAt = app.clock.monotonic();
    app.xpay.faults.next({ kind: 'unavailable', retryAfter: 3_600 });
    await app.tokens.getToken();
    await until(() => app.events.length === 2);
    let failed = 0;
    for (let ms = 0; ms < 60_000 && app.logins() === 2; ms += 500) {
      await app.clock.advance(500);
      failed += 1 - (await served(1, () => app.tokens.getToken()));
    }
    expect([app.clock.monotonic() - askedAt, failed]).toEqual([30_000, 0]);
    figure(
      'O13',
      'Retry-After: 3600, token usable for 30 s more: time until the next attempt, failed calls',
      `${(app.clock.monotonic() - askedAt) / 1_000} s, ${failed}`,
    );
  });

  it.each([30, 60, 3_600])(
    'O13 · without a token Retry-After is followed up to 60 s (Retry-After: %i)',
    async (retryAfter) => {
      await using app = await startOutbound();
      app.xpay.faults.always({ kind: 'rateLimited', retryAfter });
      const believedMs = Math.min(retryAfter, 60) * 1_000;
      expect(await failureOf(app.tokens.getToken())).toMatchObject({
        code: 'upstream_rate_limited',
        retryAfterMs: believedMs,
      });
      await app.clock.advance(believedMs - 1);
      expect(await failureOf(app.tokens.getToken())).toMatchObject({ code: 'upstream_rate_limited', retryAfterMs: 1 });
      expect(app.logins()).toBe(1);
      await app.clock.advance(1);
      await failureOf(app.tokens.getToken());
      expect(app.logins()).toBe(2);
    },
  );

  it('O13 · Retry-After as a date is read by the upstream’s clock', async () => {
    await using app = await startOutbound({}, { clockSkewMs: -7_200_000 });
    app.xpay.faults.next({ kind: 'rateLimited', retryAfter: new Date(app.xpay.now() + 20_000).toUTCString() });
    expect(await failureOf(app.tokens.getToken())).toMatchObject({ retryAfterMs: 20_000 });
  });

  it('O13 · "Retry-After: 0" does not permit immediate retries', async () => {
    await using app = await startOutbound();
    app.xpay.faults.always({ kind: 'unavailable', retryAfter: 0 });
    await served(200, () => app.tokens.getToken());
    expect(app.logins()).toBe(1);
  });

  it('O13 · a forced refresh ends our own backoff, not the Retry-After of the upstream', async () => {
    await using app = await startOutbound();
    app.xpay.faults.next({ kind: 'reset' });
    await failureOf(app.tokens.getToken());
    app.xpay.faults.next({ kind: 'rateLimited', retryAfter: 30 });
    await failureOf(app.tokens.refresh());
    expect(app.logins()).toBe(2);
    for (let i = 0; i < 50; i++) await failureOf(app.tokens.refresh());
    expect(app.logins()).toBe(2);
    await app.clock.advance(30_000);
    await expect(app.tokens.refresh()).resolves.toBeDefined();
  });

  it('emits no expiry event if a valid token was replaced, or if no renewal was tried', async () => {
    await using app = await startOutbound();
    await app.tokens.getToken();
    await app.tokens.refresh();
    expect(app.events.map(({ type }) => type)).toEqual(['obtained', 'refreshed']);
    await app.clock.advance(2 * HOUR_MS);
    await app.tokens.getToken();
    expect(app.events.map(({ type }) => type)).toEqual(['obtained', 'refreshed', 'expired', 'refreshed']);
    expect(app.lines.filter((line) => line.includes('expired'))).toEqual([
      expect.stringMatching(/^debug .*was not in use/),
    ]);
  });

  it('logs one line per event, at its level, with the upstream’s uuid and tag', async () => {
    await using app = await startOutbound();
    await app.tokens.getToken();
    await app.clock.advance(0.8 * HOUR_MS);
    app.xpay.businessError('maintenance', null, { path: '/client/authenticate', times: 2 });
    await app.tokens.getToken();
    await until(() => app.events.length === 2);
    await app.clock.advance(0.2 * HOUR_MS);
    await failureOf(app.tokens.getToken());
    await app.clock.advance(1_000);
    await app.tokens.invalidate(await app.tokens.getToken());
    const uuid = '[0-9a-f-]{36}';
    const lines = app.lines.filter((line) => line.endsWith('XPayAuth'));
    expect(lines).toEqual(
      [
        'log Upstream: xpay at http://127\\.0\\.0\\.1:\\d+, with an app account XPayAuth',
        `log Access token obtained, good for 3599 s \\(uuid ${uuid}\\) XPayAuth`,
        `warn No new access token: upstream_business_error, 1 in a row: The upstream reported an error that is not a refusal \\(uuid ${uuid}, tag ${uuid}\\); the current token is usable for 689 s XPayAuth`,
        'error The access token expired before it could be renewed XPayAuth',
        `error No new access token: upstream_business_error, 2 in a row: The upstream reported an error that is not a refusal \\(uuid ${uuid}, tag ${uuid}\\) XPayAuth`,
        `log Access token refreshed, good for 3599 s \\(uuid ${uuid}\\) XPayAuth`,
        'warn The upstream rejected the access token before it expired XPayAuth',
      ].map((line) => expect.stringMatching(new RegExp(`^${line}$`)) as unknown),
    );
    expect(app.events.map(({ type }) => type)).toEqual([
      'obtained',
      'refresh-failed',
      'expired',
      'refresh-failed',
      'refreshed',
      'rejected',
    ]);
  });
});
