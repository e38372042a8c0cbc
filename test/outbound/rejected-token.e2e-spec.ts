import { describe, expect, it } from '@jest/globals';
import { figure } from './figures.js';
import {
  APP,
  AUTHENTICATE,
  FIND,
  HOUR_MS,
  type Outbound,
  failureOf,
  served,
  startOutbound,
  until,
} from './outbound.js';

const CALLERS = 1_000;

/** Acts as a caller whose API call was rejected: reports it, and requests another token. */
async function afterRejection({ tokens }: Outbound, rejected: string): Promise<string> {
  await tokens.invalidate(rejected);
  return (await tokens.getToken()).value;
}

describe('a token that the API rejected', () => {
  it('O3 · a thousand callers who hold it cause one renewal, and none gets it again', async () => {
    await using app = await startOutbound();
    const { value } = await app.tokens.getToken();
    app.xpay.revokeTokens();
    const handed = await Promise.all(Array.from({ length: CALLERS }, () => afterRejection(app, value)));
    expect(new Set(handed).size).toBe(1);
    expect(handed).not.toContain(value);
    expect(app.logins()).toBe(2);
    expect(app.events.map(({ type }) => type)).toEqual(['obtained', 'rejected', 'obtained']);
    figure('O3', '1,000 callers hold a token that the API has just rejected', `${app.logins() - 1} request`);
  });

  it('O3 · a hundred concurrent rejected API calls cause one renewal, and all succeed', async () => {
    await using app = await startOutbound({}, { badBearerAnswer: '401-json' });
    await app.tokens.getToken();
    app.xpay.revokeTokens();
    await Promise.all(Array.from({ length: 100 }, () => app.http.post(FIND, {})));
    expect(app.logins()).toBe(2);
    expect(app.xpay.requests(FIND)).toBeLessThanOrEqual(200);
  });

  it('O3 · a late rejection of an old token has no effect', async () => {
    await using app = await startOutbound();
    const old = await app.tokens.getToken();
    const present = await app.tokens.refresh();
    await app.tokens.invalidate(old);
    await app.tokens.invalidate(old.value);
    await app.tokens.invalidate('an unknown token');
    expect(await app.tokens.getToken()).toBe(present);
    expect(app.logins()).toBe(2);
  });

  it('O3 · no caller gets it while the request that replaces it is in progress', async () => {
    await using app = await startOutbound();
    const old = await app.tokens.getToken();
    await app.clock.advance(0.76 * HOUR_MS);
    app.xpay.faults.next({ kind: 'delay', ms: 400 });
    await app.tokens.getToken();
    await app.xpay.waitForRequests(2, AUTHENTICATE);

    await app.tokens.invalidate(old);
    expect(app.tokens.peek()).toBeUndefined();
    const waiting = app.tokens.getToken();
    await app.clock.advance(400);
    expect((await waiting).value).not.toBe(old.value);
    expect(app.logins()).toBe(2);
  });

  it('O3 · no caller gets a token that is rejected the moment it arrives', async () => {
    await using app = await startOutbound();
    const rejected: string[] = [];
    app.tokens.events.subscribe((event) => {
      const arrived = app.tokens.peek();
      if (event.type !== 'obtained' || arrived === undefined || rejected.length > 0) return;
      rejected.push(arrived.value);
      void app.tokens.invalidate(arrived);
    });
    const handed = await Promise.all([app.tokens.getToken(), app.tokens.refresh()]);
    expect(handed.map(({ value }) => value)).not.toContain(rejected[0]);
    expect(app.logins()).toBe(2);
  });

  it('O3 · a rejected token that is issued again stays rejected, with one login in 5 s', async () => {
    await using app = await startOutbound({}, { equalTokensWithinASecond: true });
    const { value } = await app.tokens.getToken();
    await app.tokens.invalidate(value);
    expect(await failureOf(app.tokens.getToken())).toMatchObject({ code: 'credentials_rejected', retryAfterMs: 5_000 });
    await app.clock.advance(4_999);
    expect(await failureOf(app.tokens.getToken())).toMatchObject({ code: 'credentials_rejected', retryAfterMs: 1 });
    expect(app.logins()).toBe(2);
    await app.clock.advance(1);
    expect((await app.tokens.getToken()).value).not.toBe(value);
    expect(app.logins()).toBe(3);
  });

  it('E5 · a new grant of the rejected token ends its rejection after 5 s', async () => {
    await using app = await startOutbound({}, { tokenLifeMs: 25 * HOUR_MS });
    const { value } = await app.tokens.getToken();
    app.xpay.faults.always({ kind: 'transform', transform: (body) => withToken(body, value) }, { path: AUTHENTICATE });
    app.xpay.faults.next({ kind: 'status', status: 401 }, { path: FIND });
    expect(await failureOf(app.http.post(FIND, {}))).toMatchObject({ code: 'credentials_rejected' });
    expect(await failureOf(app.http.post(FIND, {}))).toMatchObject({ code: 'credentials_rejected' });
    await app.clock.advance(5_000);
    const failed = 300 - (await served(300, () => app.http.post(FIND, {})));
    expect([failed, app.logins()]).toEqual([0, 3]);
    figure('E5', 'the API rejects a token once, and the upstream issues the same token again: calls fail for', '5 s');
  });

  it('O3 · a token rejected some renewals ago is not handed out either', async () => {
    await using app = await startOutbound({}, { equalTokensWithinASecond: true });
    const first = await app.tokens.getToken();
    await app.tokens.invalidate(first);
    await app.clock.advance(1_000);
    const second = await app.tokens.getToken();
    await app.clock.advance(6_000);
    await app.tokens.invalidate(second);
    app.xpay.faults.next({ kind: 'transform', transform: (body) => withToken(body, first.value) });
    expect(await failureOf(app.tokens.getToken())).toMatchObject({ code: 'credentials_rejected' });
  });

  it('O3 · renewals after rejections: the first at once, then at most one in 5 s', async () => {
    await using app = await startOutbound();
    const renewals: number[] = [];
    let logins = (await app.tokens.getToken()) && app.logins();
    // Every token is rejected at once, with ten callers a second, for a minute.
    for (let ms = 0; ms <= 60_000; ms += 100) {
      const token = app.tokens.peek();
      if (token !== undefined) await app.tokens.invalidate(token);
      await app.tokens.getToken().catch(() => undefined);
      if (app.logins() !== logins) renewals.push(ms);
      logins = app.logins();
      await app.clock.advance(100);
    }
    const gaps = renewals.slice(1).map((at, i) => at - (renewals[i] ?? 0));
    expect(renewals[0]).toBe(0);
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(5_000);
    expect(renewals.length).toBe(13);
    figure(
      'O3',
      'the API rejects every token immediately, for a minute: shortest time between renewals',
      `${Math.min(...gaps) / 1_000} s`,
    );
  });

  it('O3 · a forced refresh does not shorten the 5 s, and its failure states the retry time', async () => {
    await using app = await startOutbound();
    await app.tokens.invalidate(await app.tokens.getToken());
    await app.tokens.invalidate(await app.tokens.getToken());
    expect(await failureOf(app.tokens.refresh())).toMatchObject({ code: 'credentials_rejected', retryAfterMs: 5_000 });
    expect(app.tokens.status()).toMatchObject({ state: 'none', lastError: 'credentials_rejected' });
    expect(app.tokens.status().nextRefreshAt).toBe(app.clock.now() + 5_000);
    expect(app.logins()).toBe(2);
    await app.clock.advance(5_000);
    await expect(app.tokens.refresh()).resolves.toBeDefined();
  });

  it('O3 · a token requested before its predecessor was rejected may be rejected too, and is replaced at once', async () => {
    await using app = await startOutbound();
    const elder = await app.tokens.getToken();
    app.xpay.faults.next({ kind: 'delay', ms: 400, processed: true });
    const refreshing = app.tokens.refresh();
    await app.xpay.waitForRequests(2);
    await app.tokens.invalidate(elder);
    await app.clock.advance(400);
    await app.tokens.invalidate(await refreshing);
    await expect(app.tokens.getToken()).resolves.toBeDefined();
    expect(app.logins()).toBe(3);
  });

  it('O3 · two apps at an upstream with one token per account do not renew in a loop', async () => {
    await using one = await startOutbound({}, { oneTokenPerAccount: true, badBearerAnswer: '401-empty' });
    await using other = await startOutbound({ baseUrl: one.xpay.url, clock: one.clock });
    for (let ms = 0; ms < 60_000; ms += 500) {
      await Promise.allSettled([one.http.post(FIND, {}), other.http.post(FIND, {})]);
      await one.clock.advance(500);
    }
    expect(one.logins()).toBeLessThanOrEqual(2 + 2 * 13);
    figure(
      'O3',
      'the upstream keeps one token per account, two instances for a minute: logins of each instance',
      `${one.logins() / 2}`,
    );
  });

  it('O3 · a rejection shortly after a routine renewal still causes a renewal at once', async () => {
    await using app = await startOutbound();
    await app.tokens.getToken();
    await app.clock.advance(0.8 * HOUR_MS);
    await app.tokens.getToken();
    await until(() => app.events.length === 2);
    await app.clock.advance(1_000);
    await app.tokens.invalidate(await app.tokens.getToken());
    await expect(app.tokens.getToken()).resolves.toBeDefined();
    expect(app.logins()).toBe(3);
  });

  it('O3 · the first renewal is made at once even during a Retry-After of the upstream', async () => {
    await using app = await startOutbound();
    const token = await app.tokens.getToken();
    await app.clock.advance(0.76 * HOUR_MS);
    app.xpay.faults.next({ kind: 'unavailable', retryAfter: 300 });
    await app.tokens.getToken();
    await until(() => app.events.length === 2);
    await app.tokens.invalidate(token);
    await expect(app.tokens.getToken()).resolves.toBeDefined();
    expect(app.logins()).toBe(3);
  });

  it('O3 · a new key does not shorten the 5 s', async () => {
    let secretKey = APP.secretKey;
    await using app = await startOutbound({ credentials: () => ({ ...APP, secretKey }) });
    await app.tokens.invalidate(await app.tokens.getToken());
    await app.tokens.invalidate(await app.tokens.getToken());
    app.xpay.setSecret(APP.username, (secretKey = 'another-secret-1618'));
    expect(await failureOf(app.tokens.getToken())).toMatchObject({ code: 'credentials_rejected' });
    expect(app.logins()).toBe(2);
  });
});

function withToken(body: unknown, token: string): unknown {
  return JSON.parse(JSON.stringify(body, (key, value: unknown) => (key === 'access_token' ? token : value))) as unknown;
}
