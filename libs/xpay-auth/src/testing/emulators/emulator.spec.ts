import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { claimsOf, jsonAt } from '../../../../../test/support/json-at.js';
import { ManualClock } from './manual-clock.js';
import { startXPayEmulator } from './xpay.emulator.js';
import type { XPayEmulator } from './xpay.emulator.js';

const ADA = { username: 'ada@example.test', secretKey: 'ada-secret-key' };
const AUTHENTICATE = '/client/authenticate';

describe('every emulator', () => {
  let clock: ManualClock;
  let xpay: XPayEmulator;
  beforeEach(async () => {
    clock = new ManualClock();
    xpay = await startXPayEmulator({ accounts: [ADA], clock });
  });
  afterEach(() => xpay.stop());

  const login = (body: object = ADA, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`${xpay.url}${AUTHENTICATE}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
      redirect: 'manual',
    });

  it('listens on the loopback interface, on a free port', () => {
    expect(xpay.url).toMatch(/^http:\/\/127\.0\.0\.1:\d{4,5}$/);
  });

  it('counts requests per path, below a path and altogether, until the ledger is reset', async () => {
    await login();
    await fetch(`${xpay.url}/client/nowhere`);
    expect([xpay.requests(AUTHENTICATE), xpay.requests('/client/*'), xpay.requests()]).toEqual([1, 2, 2]);
    xpay.resetLedger();
    expect([xpay.requests(AUTHENTICATE), xpay.requests(), xpay.ledger]).toEqual([0, 0, []]);
  });

  it('keeps the latest requests only, and counts them all', async () => {
    await xpay.stop();
    xpay = await startXPayEmulator({ ledgerSize: 2 });
    for (let at = 0; at < 7; at++) await fetch(`${xpay.url}/client/${at}`);
    expect(xpay.ledger.map(({ path }) => path)).toEqual(['/client/5', '/client/6']);
    expect(xpay.requests()).toBe(7);
  });

  it('redacts keys and tokens in the ledger, in every part of a request', async () => {
    const bearer = String(jsonAt(await (await login()).json(), 'success', 'data', 'access_token'));
    const basic = `Basic ${Buffer.from(`${ADA.username}:${ADA.secretKey}`).toString('base64')}`;
    await login(ADA, { authorization: `bearer ${bearer}`, authorisation: basic, cookie: `sid=${bearer}` });
    await login(
      { username: ADA.username, pasword: ADA.secretKey, nested: [{ x: bearer }] },
      { 'x-debug': `k=${ADA.secretKey}` },
    );
    await login({ ...ADA, secretKey: 'a-wrong-guess' });
    await fetch(`${xpay.url}${AUTHENTICATE}?secretKey=${ADA.secretKey}`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: JSON.stringify(ADA),
    });
    const shown = JSON.stringify(xpay.ledger);
    for (const secret of [ADA.secretKey, bearer, basic, 'a-wrong-guess']) expect(shown).not.toContain(secret);
    expect(xpay.ledger[1]).toMatchObject({
      account: ADA.username,
      status: 200,
      outcome: 'granted',
      headers: { authorization: 'bearer [redacted]', authorisation: 'Basic [redacted]', cookie: '[redacted]' },
      body: { username: ADA.username, secretKey: '[redacted]' },
    });
  });

  it('uses its own time in Date, expiry and issue times, skew included', async () => {
    xpay.clockSkewMs = 3_600_000;
    xpay.tokenLifeMs = 5_000;
    const response = await login();
    const data = jsonAt(await response.json(), 'success', 'data');
    const there = clock.now() + 3_600_000;
    expect(response.headers.get('date')).toBe(new Date(there).toUTCString());
    expect(data).toHaveProperty('expiresAt', there + 5_000);
    expect(claimsOf(String(jsonAt(data, 'access_token')))).toHaveProperty('iat', there / 1000);
    xpay.dateHeader = false;
    expect((await login()).headers.get('date')).toBeNull();
  });

  it('applies queued faults once each and in order, on their paths', async () => {
    xpay.faults.next({ kind: 'html502' }, { path: AUTHENTICATE });
    xpay.faults.next({ kind: 'rateLimited', retryAfter: 7 }, { times: 2 });
    expect((await fetch(`${xpay.url}/client/nowhere`)).status).toBe(429);
    const html = await login();
    expect([html.status, html.headers.get('content-type')]).toEqual([502, 'text/html; charset=utf-8']);
    const limited = await login();
    expect([limited.status, limited.headers.get('retry-after')]).toEqual([429, '7']);
    expect([(await login()).status, xpay.faults.pending]).toEqual([200, 0]);
    expect(xpay.ledger.map(({ outcome }) => outcome)).toEqual([
      'fault:rateLimited',
      'fault:html502',
      'fault:rateLimited',
      'granted',
    ]);
  });

  it('D3 · applies a fault for one user name only, permanent or queued', async () => {
    xpay.faults.always({ kind: 'rateLimited', retryAfter: 60 }, { username: 'eve@example.test' });
    xpay.faults.next({ kind: 'html502' }, { username: 'bob@example.test' });
    const statusOf = async (username: string): Promise<number> => (await login({ username, secretKey: 'x' })).status;
    expect([await statusOf('eve@example.test'), (await login()).status, xpay.faults.pending]).toEqual([429, 200, 1]);
    expect([await statusOf('bob@example.test'), await statusOf('bob@example.test')]).toEqual([502, 200]);
    const form = new URLSearchParams({ email: 'eve@example.test', password: 'x' });
    expect((await fetch(`${xpay.url}${AUTHENTICATE}`, { method: 'POST', body: form })).status).toBe(429);
    expect((await fetch(`${xpay.url}/client/nowhere`)).status).toBe(404);
  });

  it('applies a permanent fault until it is cleared', async () => {
    xpay.faults.always({ kind: 'unavailable' }, { path: '/client/*' });
    expect([(await login()).status, (await login()).status]).toEqual([503, 503]);
    xpay.faults.clear();
    expect((await login()).status).toBe(200);
  });

  it('resets connections', async () => {
    xpay.faults.next({ kind: 'reset' });
    await expect(login()).rejects.toMatchObject({ cause: { code: 'ECONNRESET' } });
  });

  it('delays the normal answer, or another fault, on its own clock', async () => {
    xpay.faults.next({ kind: 'delay', ms: 60_000 });
    xpay.faults.next({ kind: 'delay', ms: 60_000, followedBy: { kind: 'empty' } });
    const answers = [login(), login()];
    await xpay.waitForRequests(2, AUTHENTICATE);
    expect(xpay.ledger.map(({ outcome }) => outcome)).toEqual(['pending', 'pending']);
    await clock.advance(60_000);
    const bodies = await Promise.all(answers.map(async (answer) => (await (await answer).text()).length > 0));
    expect(bodies.toSorted((a, b) => Number(a) - Number(b))).toEqual([false, true]);
  });

  it('ends a hanging request when it stops', async () => {
    xpay.faults.next({ kind: 'hang' });
    const answer = expect(login()).rejects.toThrow();
    await xpay.waitForRequests(1);
    await xpay.stop();
    await answer;
  });

  it('pauses and resumes on the same port, with the same accounts and tokens', async () => {
    const { url } = xpay;
    xpay.faults.next({ kind: 'delay', ms: 1_000 });
    const cut = expect(login()).rejects.toThrow();
    await xpay.waitForRequests(1);
    await xpay.pause();
    await cut;
    await expect(login()).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } });
    await xpay.resume();
    expect([xpay.url, (await login()).status, clock.pendingTimers]).toEqual([url, 200, 0]);
  });

  it('sends scripted answers: a status, no body, no JSON, a redirect, an oversized body', async () => {
    xpay.faults.next({ kind: 'status', status: 418, headers: { 'x-a': 'b' }, body: { short: 'stout' } });
    const teapot = await login();
    expect([teapot.status, teapot.headers.get('x-a'), await teapot.json()]).toEqual([418, 'b', { short: 'stout' }]);
    xpay.faults.next({ kind: 'empty' });
    expect(await (await login()).text()).toBe('');
    xpay.faults.next({ kind: 'notJson' });
    await expect((await login()).json()).rejects.toThrow('is not valid JSON');
    xpay.faults.next({ kind: 'redirect', location: 'http://127.0.0.1:9/elsewhere' });
    const elsewhere = await login();
    expect([elsewhere.status, elsewhere.headers.get('location')]).toEqual([307, 'http://127.0.0.1:9/elsewhere']);
    for (const declareLength of [true, false]) {
      xpay.faults.next({ kind: 'oversized', bytes: 3_000_000, declareLength });
      const big = await login();
      expect(big.headers.has('content-length')).toBe(declareLength);
      expect(JSON.stringify(await big.json())).toHaveLength(3_000_000);
    }
  });

  it.each([
    ['latin1', undefined, 'application/json', 'Jörg'],
    ['utf16le', 'utf-16', 'application/json; charset=utf-16', 'Jörg 😀'],
  ] as const)('writes an answer in %s, with the charset %s declared', async (encoding, charset, type, name) => {
    xpay.faults.always({ kind: 'transform', transform: () => ({ name }) });
    xpay.faults.always({ kind: 'encoding', encoding, ...(charset !== undefined && { charset }) });
    const answer = await login();
    expect(answer.headers.get('content-type')).toBe(type);
    expect(Buffer.from(await answer.arrayBuffer()).toString(encoding)).toBe(JSON.stringify({ name }));
  });

  it('writes the answer of another fault in another encoding', async () => {
    xpay.faults.always({ kind: 'encoding', encoding: 'latin1' });
    xpay.faults.next({ kind: 'status', status: 503, body: 'überlastet' });
    const answer = await login();
    expect([answer.status, answer.headers.get('content-type')]).toEqual([503, 'text/plain']);
    expect(Buffer.from(await answer.arrayBuffer()).toString('latin1')).toBe('überlastet');
  });

  it('changes the normal answer by a transform, and reports one that throws', async () => {
    xpay.faults.next({ kind: 'transform', transform: (body) => ({ wrapped: body }) });
    expect(await (await login()).json()).toHaveProperty('wrapped.success.message', 'Authenticated');
    xpay.faults.next({
      kind: 'transform',
      transform: () => {
        throw new Error('a test went wrong');
      },
    });
    const owned = await login();
    expect([owned.status, await owned.text()]).toEqual([500, 'emulator: a test went wrong']);
    expect(xpay.ledger.at(-1)?.outcome).toBe('emulator_error');
  });

  it('stops twice without an error, and at the end of an `await using`', async () => {
    await xpay[Symbol.asyncDispose]();
    await xpay.stop();
    await expect(login()).rejects.toThrow();
  });
});
