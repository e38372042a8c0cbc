import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AccessToken, type Dialect, type Grant, Secret, XPayAuthError, xPay } from 'nestjs-xpay-auth';
import { getEventListeners } from 'node:events';
import { config as rxjs } from 'rxjs';
import { HOUR_MS, failureOf, served, startOutbound, until } from './outbound.js';

/** The dialect of xPay.stream with another way to authenticate. */
function dialect(authenticate: () => unknown): Dialect {
  return { ...xPay(), authenticate: authenticate as Dialect['authenticate'] };
}

function grantOf(facts: Partial<Grant> & { value?: unknown; expiresAt?: number } = {}): Grant {
  const { value = 'a-token', expiresAt, ...rest } = facts;
  const accessToken = new AccessToken(value as string, { expiresAt });
  return { accessToken, username: 'app@example.test', scopes: [], isAPI: true, lifeMs: HOUR_MS, ...rest };
}

function broken(): never {
  throw new Error('disk full');
}

describe('a token service with faulty dialects, subscribers and loggers', () => {
  const thrownBySubscribers: unknown[] = [];
  beforeAll(() => {
    rxjs.onUnhandledError = (failure) => thrownBySubscribers.push(failure);
  });
  afterAll(() => {
    rxjs.onUnhandledError = null;
  });

  const thrown: Record<string, unknown> = {
    'a text': 'boom',
    nothing: undefined,
    null: null,
    'a symbol': Symbol('boom'),
    'an object without a prototype': Object.create(null),
    'an error whose cause is itself': Object.assign(new Error('loop'), { cause: 'itself' }),
    'a TypeError': new TypeError('x is not a function'),
  };
  it.each(Object.entries(thrown))(
    'O16 · a dialect that throws %s: upstream_malformed, then a backoff of 125 to 250 ms',
    async (_, what) => {
      let asked = 0;
      const throwing = dialect(() => {
        asked++;
        throw what;
      });
      await using app = await startOutbound({ dialect: throwing });
      const { code, retryAfterMs } = await failureOf(app.tokens.getToken());
      expect([code, Math.min(250, Math.max(125, retryAfterMs ?? 0))]).toEqual(['upstream_malformed', retryAfterMs]);
      await served(50, () => app.tokens.getToken());
      expect(asked).toBe(1);
    },
  );

  const brought: Record<string, unknown> = {
    nothing: undefined,
    'an empty object': {},
    'a token that is a string': { accessToken: 'a-token' },
    'an empty token': grantOf({ value: '' }),
    'a token that is not a string': grantOf({ value: 5 }),
    'an infinite lifetime': grantOf({ lifeMs: Infinity }),
    'a lifetime that is not a number': grantOf({ lifeMs: NaN }),
    'a negative lifetime': grantOf({ lifeMs: -1 }),
    'an expiry that is not a number': { ...grantOf({ expiresAt: NaN }), lifeMs: undefined },
  };
  it.each(Object.entries(brought))(
    'O12 · a dialect that returns %s: upstream_malformed, and no token',
    async (_, what) => {
      await using app = await startOutbound({ dialect: dialect(() => Promise.resolve(what)) });
      expect(await failureOf(app.tokens.getToken())).toMatchObject({ code: 'upstream_malformed' });
      expect(app.tokens.peek()).toBeUndefined();
      expect(app.tokens.status()).toMatchObject({ state: 'none', failures: 1 });
    },
  );

  it('O12 · an invalid upstream time from a dialect is treated as unknown', async () => {
    const grant = { ...grantOf({ expiresAt: Date.UTC(2026, 0, 1, 1) }), lifeMs: undefined, upstreamNow: NaN };
    await using app = await startOutbound({ dialect: dialect(() => Promise.resolve(grant)) });
    await app.tokens.getToken();
    expect(app.tokens.status()).toMatchObject({ clockSkewMs: 0, usableForMs: HOUR_MS - 30_000 });
  });

  it('O7 · a dialect that ignores the signal ends at the deadline, and its later result is dropped', async () => {
    const late: ((grant: Grant) => void)[] = [];
    await using app = await startOutbound({ dialect: dialect(() => new Promise((resolve) => late.push(resolve))) });
    const first = failureOf(app.tokens.getToken());
    await until(() => late.length === 1);
    await app.clock.advance(10_000);
    expect(await first).toMatchObject({ code: 'upstream_timeout' });

    const second = app.tokens.getToken();
    await until(() => late.length === 2);
    late[0]?.(grantOf({ value: 'too-late' }));
    late[1]?.(grantOf({ value: 'in-time' }));
    expect((await second).value).toBe('in-time');
    expect(app.tokens.peek()?.value).toBe('in-time');
  });

  it('O7 · a rejection that arrives after the deadline has no effect', async () => {
    const late: ((failure: Error) => void)[] = [];
    let reads = 0;
    await using app = await startOutbound({
      dialect: dialect(() => (late.length === 0 ? new Promise((_, reject) => late.push(reject)) : grantOf())),
      credentials: () => {
        reads++;
        return { username: 'app@example.test', secretKey: 'k-1' };
      },
    });
    const first = failureOf(app.tokens.getToken());
    await until(() => late.length === 1);
    await app.clock.advance(10_000);
    await first;
    late[0]?.(new XPayAuthError('invalid_credentials', 'no'));
    await app.clock.advance(0);
    expect(reads).toBe(1);
    expect(app.tokens.status()).toMatchObject({ failures: 1, lastError: 'upstream_timeout' });
    await expect(app.tokens.getToken()).resolves.toBeDefined();
  });

  it('O5 · a subscriber that throws affects neither the token nor the other subscribers', async () => {
    await using app = await startOutbound();
    const heard: string[] = [];
    app.tokens.events.subscribe(() => {
      throw new Error('careless');
    });
    app.tokens.events.subscribe(({ type }) => heard.push(type));
    const token = await app.tokens.getToken();
    await app.tokens.invalidate(token);
    expect(await app.tokens.getToken()).not.toBe(token);
    expect(heard).toEqual(['obtained', 'rejected', 'obtained']);
    await until(() => thrownBySubscribers.length > 0);
  });

  it('O5 · a logger that throws affects neither the token nor the events', async () => {
    await using app = await startOutbound();
    app.module.useLogger({ log: broken, warn: broken, error: broken, debug: broken });
    const token = await app.tokens.getToken();
    await app.tokens.invalidate(token);
    await app.tokens.getToken();
    expect(app.events.map(({ type }) => type)).toEqual(['obtained', 'rejected', 'obtained']);
    app.module.useLogger(false);
  });

  it('O3 · a subscriber that requests a token during a rejection gets another one', async () => {
    await using app = await startOutbound();
    const got: Promise<AccessToken>[] = [];
    app.tokens.events.subscribe(({ type }) => {
      if (type === 'rejected') got.push(app.tokens.getToken());
    });
    const token = await app.tokens.getToken();
    await app.tokens.invalidate(token);
    expect((await Promise.all(got)).map(({ value }) => value)).not.toContain(token.value);
    expect(app.logins()).toBe(2);
  });

  it('O1 · a subscriber that calls the service on every event causes neither a flood nor a deadlock', async () => {
    await using app = await startOutbound();
    app.tokens.events.subscribe(() => {
      app.tokens.status();
      for (const call of [app.tokens.getToken(), app.tokens.refresh(), app.tokens.authorizationHeader()])
        call.catch(() => undefined);
    });
    await app.tokens.getToken();
    app.xpay.faults.next({ kind: 'unavailable' });
    await app.clock.advance(HOUR_MS);
    await failureOf(app.tokens.getToken());
    await app.clock.advance(1_000);
    await app.tokens.getToken();
    await app.clock.advance(0);
    expect(app.logins()).toBeLessThanOrEqual(8);
  });

  it('O1 · a thousand forced refreshes share one request', async () => {
    await using app = await startOutbound();
    const tokens = await Promise.all(Array.from({ length: 1_000 }, () => app.tokens.refresh()));
    expect(new Set(tokens).size).toBe(1);
    expect(app.logins()).toBe(1);
  });

  it('O7 · callers who share a signal add one listener to it, because Node warns of a leak beyond ten', async () => {
    await using app = await startOutbound();
    app.xpay.faults.next({ kind: 'delay', ms: 100 });
    const leaving = new AbortController();
    const { signal } = leaving;
    const waiting = Promise.allSettled(Array.from({ length: 100 }, () => app.tokens.getToken({ signal })));
    await app.xpay.waitForRequests(1);
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    leaving.abort();
    expect((await waiting).every(({ status }) => status === 'rejected')).toBe(true);
    await app.clock.advance(100);
  });

  it('O7 · a late result of a request past its deadline does not replace a newer refresh token', async () => {
    const late: ((grant: Grant) => void)[] = [];
    const used: string[] = [];
    const refreshing: Dialect = {
      ...dialect(() => new Promise((resolve) => late.push(resolve))),
      refresh: (refreshToken) => {
        used.push(refreshToken.reveal());
        return Promise.resolve(grantOf({ value: 'refreshed' }));
      },
    };
    await using app = await startOutbound({ dialect: refreshing });
    const first = failureOf(app.tokens.getToken());
    await until(() => late.length === 1);
    await app.clock.advance(10_000);
    await first;
    const second = app.tokens.getToken();
    await until(() => late.length === 2);
    late[1]?.(grantOf({ value: 'in-time', refreshToken: new Secret('newer') }));
    await second;
    late[0]?.(grantOf({ value: 'too-late', refreshToken: new Secret('late') }));
    await app.clock.advance(0);
    await app.tokens.refresh();
    expect(used).toEqual(['newer']);
  });
});
