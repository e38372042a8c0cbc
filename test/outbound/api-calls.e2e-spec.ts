import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { Fault } from 'nestjs-xpay-auth/testing';
import { figure } from './figures.js';
import { AUTHENTICATE, CONFIRM, FIND, HOUR_MS, type Outbound, failureOf, startOutbound } from './outbound.js';

const PAYMENT = { wallet: 'w-1', destination: 'T-1', amount: '10' };

describe('API calls', () => {
  let app: Outbound;
  beforeEach(async () => {
    app = await startOutbound();
  });
  afterEach(async () => app[Symbol.asyncDispose]());

  it('O15 · send the token, the caller’s uuid and JSON; data may be null', async () => {
    const uuid = randomUUID();
    const found = await app.http.request<unknown[]>({ path: FIND, body: { page: 1, pageSize: 2 }, uuid });
    expect(found).toMatchObject({ uuid, data: expect.any(Array) as unknown });
    expect(app.xpay.ledger.at(-1)).toMatchObject({ uuid, body: { page: 1, pageSize: 2 }, outcome: 'ok' });
    await app.http.post('/client/bills/save', { reference: 'r-1', amount: 1_000_000 });
    expect(await app.http.post('/client/bills/cancel', { reference: 'r-1' })).toBeNull();
  });

  it.each(['401-json', '401-empty'] as const)(
    'O15 · a 401 (%s) rejects the token: it is renewed once, and the call repeated once, at once, with the same body, also for payments',
    async (badBearerAnswer) => {
      app.xpay.badBearerAnswer = badBearerAnswer;
      await app.tokens.getToken();
      app.xpay.revokeTokens();
      const before = app.clock.monotonic();
      await app.http.post(CONFIRM, PAYMENT);
      expect(app.clock.monotonic()).toBe(before);
      expect(app.xpay.payments.map(({ body }) => body)).toEqual([PAYMENT]);
      const calls = app.xpay.ledger.filter(({ path }) => path === CONFIRM);
      expect(calls.map(({ outcome }) => outcome)).toEqual(['bad_bearer', 'ok']);
      expect(calls[0]?.body).toEqual(calls[1]?.body);
      expect(calls[0]?.uuid).toBe(calls[1]?.uuid);
      expect(app.logins()).toBe(2);
      figure(
        'O15',
        `payment rejected with a 401 (answer ${badBearerAnswer}): renewals, retries, payments`,
        `${app.logins() - 1}, ${calls.length - 1}, ${app.xpay.payments.length}`,
      );
    },
  );

  it('O15 · a 200 that reports a rejected token is repeated if the path only reads', async () => {
    await app.tokens.getToken();
    app.xpay.revokeTokens();
    await expect(app.http.post(FIND, {})).resolves.toHaveLength(3);
    expect([app.logins(), app.xpay.requests(FIND)]).toEqual([2, 2]);
  });

  it('O15 · a 200 that reports a rejected token is not repeated if money may have moved', async () => {
    await app.tokens.getToken();
    app.xpay.revokeTokens();
    expect(await failureOf(app.http.post(CONFIRM, PAYMENT))).toMatchObject({
      code: 'credentials_rejected',
      status: 502,
    });
    expect([app.logins(), app.xpay.requests(CONFIRM)]).toEqual([1, 1]);
    // The next call has another token.
    await app.http.post(CONFIRM, PAYMENT);
    expect([app.logins(), app.xpay.payments.length]).toEqual([2, 1]);
  });

  it.each([`${CONFIRM}?back=/client/wallets/find`, `${CONFIRM}#/find`, `${CONFIRM}?/view`])(
    'O15 · a payment is not treated as a read because of a suffix of its path: %s',
    async (path) => {
      await app.tokens.getToken();
      app.xpay.faults.always(
        { kind: 'status', status: 200, body: { error: { message: 'invalid token' } } },
        { path: CONFIRM },
      );
      expect(await failureOf(app.http.post(path, PAYMENT))).toMatchObject({ code: 'credentials_rejected' });
      expect(app.xpay.requests(CONFIRM)).toBe(1);
    },
  );

  it.each(['insufficient token balance', 'token not found', 'invalid token amount', 'Invalid token'])(
    'O15 · "%s" is about money or unknown: no login, no second payment',
    async (message) => {
      const token = await app.tokens.getToken();
      app.xpay.businessError(message, null, { path: CONFIRM, times: 2 });
      const failure = await failureOf(app.http.post(CONFIRM, PAYMENT));
      expect([app.logins(), app.xpay.requests(CONFIRM), app.xpay.payments.length]).toEqual([1, 1, 0]);
      expect(failure).toMatchObject({ code: 'upstream_business_error', status: 502 });
      expect(failure.message).toContain(message);
      expect(failure.reference).toEqual({ uuid: expect.any(String), tag: expect.any(String) });
      expect(app.tokens.peek()).toBe(token);
    },
  );

  it('O15 · "insufficient token balance" after a payment causes no second payment', async () => {
    app.xpay.faults.next(
      { kind: 'transform', transform: () => ({ error: { message: 'insufficient token balance' } }), processed: true },
      { path: CONFIRM },
    );
    expect(await failureOf(app.http.post(CONFIRM, PAYMENT))).toMatchObject({ code: 'upstream_business_error' });
    expect(app.xpay.payments).toHaveLength(1);
    expect(app.logins()).toBe(1);
    figure(
      'O15',
      'payment made, answer "insufficient token balance": renewals, retries, payments',
      `${app.logins() - 1}, ${app.xpay.requests(CONFIRM) - 1}, ${app.xpay.payments.length}`,
    );
  });

  it('O15 · two tokens rejected in a row end the call: no third attempt, and no code that blames the caller', async () => {
    app.xpay.badBearerAnswer = '401-empty';
    app.xpay.faults.always({ kind: 'status', status: 401 }, { path: FIND });
    expect(await failureOf(app.http.post(FIND, {}))).toMatchObject({ code: 'credentials_rejected', status: 502 });
    expect([app.logins(), app.xpay.requests(FIND)]).toEqual([2, 2]);
  });

  const troubles: Record<string, Fault> = {
    'a reset': { kind: 'reset' },
    'a 500': { kind: 'status', status: 500 },
    'a proxy’s page': { kind: 'html502' },
    'a 403': { kind: 'status', status: 403 },
    'a 200 without a body': { kind: 'empty' },
    'a 429': { kind: 'rateLimited', retryAfter: 1 },
  };
  it.each(Object.entries(troubles))('O15 · %s is not about the token: no login, no repetition', async (_, fault) => {
    const token = await app.tokens.getToken();
    app.xpay.faults.next({ ...fault, processed: true }, { path: CONFIRM });
    const failure = await failureOf(app.http.post(CONFIRM, PAYMENT));
    expect(failure.code).toMatch(/^upstream_/);
    expect([app.logins(), app.xpay.requests(CONFIRM), app.xpay.payments.length]).toEqual([1, 1, 1]);
    expect(app.tokens.peek()).toBe(token);
  });

  it.each([301, 302, 303, 307, 308])(
    'O15 · a redirect (%i) is not followed, to the same origin or another',
    async (status) => {
      await using elsewhere = await startOutbound();
      for (const location of [`${elsewhere.xpay.url}${FIND}`, `${app.xpay.url}${FIND}`]) {
        app.xpay.faults.next({ kind: 'redirect', location, status }, { path: CONFIRM });
        expect(await failureOf(app.http.post(CONFIRM, PAYMENT))).toMatchObject({ code: 'upstream_malformed' });
      }
      expect([elsewhere.xpay.requests(), app.xpay.requests(FIND)]).toEqual([0, 0]);
    },
  );

  it.each([
    '//other.example.test/x',
    'https://other.example.test/x',
    '@other.example.test/x',
    'client/x',
    '',
    '\\\\other.example.test',
  ])('O15 · a path that leads elsewhere is rejected before anything is sent: %s', async (path) => {
    expect(await failureOf(app.http.post(path))).toMatchObject({ code: 'configuration' });
    expect(app.xpay.requests('/client/wallets/*')).toBe(0);
  });

  const noToken: Record<string, Fault> = {
    ...troubles,
    garbage: { kind: 'notJson' },
    'a redirect': { kind: 'redirect', location: 'http://127.0.0.1:1/' },
    'a response without a token': { kind: 'transform', transform: () => ({ success: { data: { success: true } } }) },
  };
  it.each(Object.entries(noToken))('O16 · when %s prevents a token, nothing is sent without one', async (_, fault) => {
    app.xpay.faults.always(fault, { path: AUTHENTICATE });
    const failure = await failureOf(app.http.post(FIND, {}));
    expect(failure).toMatchObject({ code: expect.stringMatching(/^upstream_/) as unknown, trouble: 'upstream' });
    expect(app.xpay.requests(FIND)).toBe(0);
  });

  it('O16 · an expired token is not sent either, and the failure states the reason and the retry time', async () => {
    await app.tokens.getToken();
    await app.clock.advance(HOUR_MS);
    await app.xpay.pause();
    const failure = await failureOf(app.http.post(FIND, {}));
    expect(failure).toMatchObject({ code: 'upstream_unavailable', status: 503 });
    expect(failure.retryAfterMs).toBeGreaterThanOrEqual(125);
    expect(failure.retryAfterMs).toBeLessThanOrEqual(250);
    expect(failure.cause).toMatchObject({ code: expect.stringMatching(/^ECONN/) as unknown });
    await app.xpay.resume();
    expect(app.xpay.requests(FIND)).toBe(0);
    figure(
      'O16',
      'no token can be obtained: failure, requests sent without a token',
      `${failure.code}, ${app.xpay.requests(FIND)}`,
    );
  });
});

describe('API calls without an account', () => {
  it('O16 · are rejected with a configuration error', async () => {
    await using app = await startOutbound({
      credentials: () => {
        throw new Error('no vault');
      },
    });
    expect(await failureOf(app.http.post(FIND, {}))).toMatchObject({ code: 'configuration', status: 500 });
    expect(app.xpay.requests()).toBe(0);
  });
});
