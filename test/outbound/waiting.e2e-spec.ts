import { describe, expect, it } from '@jest/globals';
import { figure } from './figures.js';
import { AUTHENTICATE, HOUR_MS, failureOf, startOutbound, until } from './outbound.js';

const CALLERS = 1_000;
const crowd = <T>(call: (index: number) => Promise<T>): Promise<T>[] =>
  Array.from({ length: CALLERS }, (_, i) => call(i));

describe('callers that wait for a token', () => {
  it('O1 · a thousand callers without a cached token cause one request', async () => {
    await using app = await startOutbound();
    const tokens = await Promise.all(crowd(() => app.tokens.getToken()));
    expect(new Set(tokens).size).toBe(1);
    expect(app.logins()).toBe(1);
    figure('O1', '1,000 callers, no token yet', `${app.logins()} request`);
  });

  it('O1 · a thousand callers of the API share the token too', async () => {
    await using app = await startOutbound();
    await Promise.all(Array.from({ length: 50 }, () => app.http.post('/client/wallets/find', {})));
    expect(app.logins()).toBe(1);
  });

  it('O1 · a failure is shared by those who waited, and not cached as a rejected promise', async () => {
    await using app = await startOutbound();
    app.xpay.faults.next({ kind: 'reset' });
    const outcomes = await Promise.allSettled(crowd(() => app.tokens.getToken()));
    expect(outcomes.every(({ status }) => status === 'rejected')).toBe(true);
    expect(app.logins()).toBe(1);
    await app.clock.advance(1_000);
    await expect(app.tokens.getToken()).resolves.toBeDefined();
  });

  it('O6 · a token that is due is renewed in the background, and callers do not wait', async () => {
    await using app = await startOutbound();
    const old = await app.tokens.getToken();
    await app.clock.advance(0.76 * HOUR_MS);
    app.xpay.faults.next({ kind: 'delay', ms: 400 });
    const before = app.clock.monotonic();
    const handed = await Promise.all(crowd(() => app.tokens.getToken()));
    const waitedMs = app.clock.monotonic() - before;
    expect(handed.every((token) => token === old)).toBe(true);
    expect(waitedMs).toBe(0);

    await app.xpay.waitForRequests(2, AUTHENTICATE);
    expect(await app.tokens.getToken()).toBe(old);
    await app.clock.advance(400);
    await until(() => app.events.length === 2);
    expect(app.events.map(({ type }) => type)).toEqual(['obtained', 'refreshed']);
    expect(await app.tokens.getToken()).not.toBe(old);
    expect(app.logins()).toBe(2);
    figure('O6', 'upstream takes 400 ms while a renewal is due: wait of 1,000 callers', `${waitedMs} ms`);
  });

  it('O7 · an aborting caller leaves the request to the others', async () => {
    await using app = await startOutbound();
    app.xpay.faults.next({ kind: 'delay', ms: 400 });
    const leaving = new AbortController();
    const reason = new Error('the browser disconnected');
    const first = app.tokens.getToken({ signal: leaving.signal });
    const others = crowd(() => app.tokens.getToken({ signal: new AbortController().signal }));
    await app.xpay.waitForRequests(1);
    leaving.abort(reason);
    await expect(first).rejects.toBe(reason);
    await app.clock.advance(400);
    const outcomes = await Promise.allSettled(others);
    const failed = outcomes.filter(({ status }) => status === 'rejected').length;
    expect(failed).toBe(0);
    expect(app.logins()).toBe(1);
    figure('O7', 'the first of 1,001 callers aborts: other callers that fail', `${failed} of ${CALLERS}`);
  });

  it('O7 · when every caller aborts, the request still returns a token for the next', async () => {
    await using app = await startOutbound();
    app.xpay.faults.next({ kind: 'delay', ms: 400 });
    const leaving = new AbortController();
    const gone = Promise.allSettled(crowd(() => app.tokens.getToken({ signal: leaving.signal })));
    await app.xpay.waitForRequests(1);
    leaving.abort();
    expect((await gone).every(({ status }) => status === 'rejected')).toBe(true);
    await app.clock.advance(400);
    await until(() => app.tokens.peek() !== undefined);
    expect(await app.tokens.getToken()).toBe(app.tokens.peek());
    expect(app.logins()).toBe(1);
  });

  it('O7 · a caller with an aborted signal is rejected, with a cached token or without, and causes no upstream call', async () => {
    await using app = await startOutbound();
    const signal = AbortSignal.abort(new Error('never mind'));
    await expect(app.tokens.getToken({ signal })).rejects.toThrow('never mind');
    await expect(app.tokens.authorizationHeader({ signal })).rejects.toThrow('never mind');
    expect(app.logins()).toBe(0);
    await app.tokens.getToken();
    await expect(app.tokens.getToken({ signal })).rejects.toThrow('never mind');
  });

  it('O7 · an API call that is aborted rejects with its own reason, also while it waits for the token', async () => {
    await using app = await startOutbound();
    app.xpay.faults.always({ kind: 'hang' });
    const leaving = new AbortController();
    const waiting = app.http.post('/client/wallets/find', {}, { signal: leaving.signal });
    await app.xpay.waitForRequests(1);
    leaving.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
  });

  it('O7 · the shared request has a separate deadline', async () => {
    await using app = await startOutbound({ token: { deadlineMs: 2_000 } });
    app.xpay.faults.next({ kind: 'hang' });
    const waiting = failureOf(app.tokens.getToken());
    await app.xpay.waitForRequests(1);
    await app.clock.advance(2_000);
    expect(await waiting).toMatchObject({ code: 'upstream_timeout', status: 504 });
    expect(app.clock.pendingTimers).toBe(0);
  });
});
