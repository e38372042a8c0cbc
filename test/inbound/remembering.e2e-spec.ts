import { describe, expect, it } from '@jest/globals';
import type { Server } from 'node:http';
import { statusesOf } from '../support/crowd.js';
import { ada, asAda, asRoot, startInbound, wrong } from '../support/inbound-app.js';
import { settled } from '../support/settled.js';
import { basic, platforms } from '../support/start-app.js';

const asMany = (count: number, ask: () => Promise<number>): Promise<number[]> =>
  Promise.all(Array.from({ length: count }, ask));

describe.each(platforms)('caching on %s', (platform) => {
  it('I1 · the same credentials are verified once a period', async () => {
    await using app = await startInbound(platform);
    for (let i = 0; i < 20; i++) expect(await app.status('/me', asAda)).toBe(200);
    await app.clock.advance(44_999);
    expect(await app.status('/me', asAda)).toBe(200);
    expect(app.asked()).toBe(1);
  });

  it('I1 · a caller without requests until the end of the period is verified again', async () => {
    await using app = await startInbound(platform);
    await app.status('/me', asAda);
    await app.clock.advance(60_000);
    app.xpay.setSecret(ada.username, 'another-secret-key');
    expect(await app.status('/me', asAda)).toBe(401);
    expect(app.asked()).toBe(2);
  });

  it('I1 · in the last quarter the entry is renewed in the background, and the caller does not wait', async () => {
    await using app = await startInbound(platform);
    await app.status('/me', asAda);
    await app.clock.advance(45_000);
    app.xpay.faults.next({ kind: 'delay', ms: 400 });
    expect(await app.status('/me', asAda)).toBe(200);
    await app.xpay.waitForRequests(2, '/client/authenticate');
    expect(await app.status('/me', asAda)).toBe(200);
    await app.clock.advance(400);
    await settled(() => app.events.filter(({ type }) => type === 'verified').length === 2);
    // Renewed by the request at 45 s, so the period now ends at 105 s and its last quarter begins at 90 s.
    await app.clock.advance(44_000);
    expect(await app.status('/me', asAda)).toBe(200);
    expect(app.asked()).toBe(2);
  });

  it('I1 · while the upstream is down a renewal is tried a few times, and the caller is accepted until the end of the period', async () => {
    await using app = await startInbound(platform);
    await app.status('/me', asAda);
    app.xpay.faults.always({ kind: 'unavailable' });
    await app.clock.advance(45_000);
    for (let second = 45; second < 60; second++) {
      expect(await app.status('/me', asAda)).toBe(200);
      await app.clock.advance(999);
      await app.clock.advance(1);
    }
    expect(app.asked()).toBeLessThanOrEqual(1 + 4);
    expect(app.asked()).toBeGreaterThanOrEqual(1 + 2);
    expect(await app.status('/me', asAda)).toBe(503);
  });

  it("I1 · a rejected renewal ends the caller's entry at once", async () => {
    await using app = await startInbound(platform);
    await app.status('/me', asAda);
    app.xpay.setSecret(ada.username, 'another-secret-key');
    await app.clock.advance(45_000);
    expect(await app.status('/me', asAda)).toBe(200);
    await settled(() => app.events.some(({ type }) => type === 'refused'));
    expect(await app.status('/me', asAda)).toBe(401);
  });

  it("I1 · no caller is cached past the expiry of the upstream's grant, less its margin", async () => {
    await using app = await startInbound(platform);
    // `Date` may have lost a second of it.
    app.xpay.tokenLifeMs = 21_000;
    await app.status('/me', asAda);
    // The margin is 10 % of 20 s, so it begins at 18 s.
    app.xpay.faults.always({ kind: 'unavailable' });
    await app.clock.advance(17_999);
    expect(await app.status('/me', asAda)).toBe(200);
    await app.clock.advance(1);
    expect(await app.status('/me', asAda)).toBe(503);
  });

  it('I1 · an expired grant authenticates no caller', async () => {
    await using app = await startInbound(platform);
    app.xpay.tokenLifeMs = -1;
    expect(await app.status('/me', asAda)).toBe(502);
  });

  it('I2 · 1,000 concurrent requests with the same new credentials cause one check', async () => {
    // The socket of the check waits in real time until all requests have arrived, which takes seconds on a busy machine.
    await using app = await startInbound(platform, { options: { http: { timeoutMs: 60_000 } } });
    app.xpay.faults.next({ kind: 'delay', ms: 1_000 });
    let arrived = 0;
    (app.app.getHttpServer() as Server).on('request', () => arrived++);
    const answers = statusesOf(
      app,
      Array.from({ length: 1_000 }, () => asAda),
    );
    await settled(() => arrived === 1_000);
    await app.clock.advance(1_000);
    expect(new Set(await answers)).toEqual(new Set([200]));
    expect(app.asked()).toBe(1);
    expect(app.events.map(({ type }) => type)).toEqual(['verified']);
  });

  it('I2 · the first caller may disconnect, and the check continues for the others', async () => {
    await using app = await startInbound(platform);
    app.xpay.faults.next({ kind: 'delay', ms: 1_000 });
    const leaving = new AbortController();
    const first = app.fetch('/me', { headers: asAda, signal: leaving.signal });
    await app.xpay.waitForRequests(1);
    const others = asMany(20, () => app.status('/me', asAda));
    leaving.abort();
    await expect(first).rejects.toThrow();
    await app.clock.advance(1_000);
    expect(new Set(await others)).toEqual(new Set([200]));
    expect(app.asked()).toBe(1);
  });

  it('I2 · a flood of wrong keys neither queues nor evicts the owner', async () => {
    await using app = await startInbound(platform, {
      options: { attempts: false, verification: { maxEntries: 1, maxConcurrent: 1_000 } },
    });
    expect(await app.status('/me', asAda)).toBe(200);
    for (let i = 0; i < 100; i++) app.xpay.faults.next({ kind: 'delay', ms: 3_000 });
    const flood = Promise.all(Array.from({ length: 100 }, (_, i) => app.status('/me', wrong(i))));
    await app.xpay.waitForRequests(101);
    expect(await app.status('/me', asAda)).toBe(200);
    expect(await app.status('/me', asRoot)).toBe(200);
    await app.clock.advance(3_000);
    expect(new Set(await flood)).toEqual(new Set([401]));
    expect(await app.status('/me', asRoot)).toBe(200);
    expect(app.asked()).toBe(102);
  });

  it('I2 · with maxQueued 0, checks beyond maxConcurrent, less the share reserved for renewals, are 503 and cost no attempt', async () => {
    await using app = await startInbound(platform, {
      options: {
        verification: { maxConcurrent: 3, maxQueued: 0 },
        attempts: { perAddress: { attempts: 3, windowMs: 60_000 } },
      },
    });
    app.xpay.faults.next({ kind: 'delay', ms: 1_000 }, { times: 2 });
    const slow = Promise.all([app.status('/me', asAda), app.status('/me', asRoot)]);
    await app.xpay.waitForRequests(2);
    for (let i = 0; i < 5; i++) {
      const refused = await app.fetch('/me', { headers: wrong(i) });
      expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
      expect(await refused.json()).toMatchObject({ errorCode: 'overloaded' });
    }
    await app.clock.advance(1_000);
    expect(await slow).toEqual([200, 200]);
    expect(await app.status('/me', wrong('later'))).toBe(401);
  });

  it('I2 · a cached caller is renewed while new callers use all places except the one for renewals', async () => {
    await using app = await startInbound(platform, { options: { verification: { maxConcurrent: 2, maxQueued: 0 } } });
    await app.status('/me', asAda);
    await app.clock.advance(45_000);
    app.xpay.faults.next({ kind: 'delay', ms: 4_000 });
    const flood = app.status('/me', wrong());
    await app.xpay.waitForRequests(2);
    expect([await app.status('/me', asRoot), await app.status('/me', asAda)]).toEqual([503, 200]);
    await app.xpay.waitForRequests(3);
    await settled(() => app.events.filter(({ type }) => type === 'verified').length === 2);
    // The renewal has given back its own place only.
    expect(await app.status('/me', asRoot)).toBe(503);
    await app.clock.advance(4_000);
    expect(await flood).toBe(401);
  });

  it('I2 · a cached caller is renewed as soon as a check is free', async () => {
    await using app = await startInbound(platform, { options: { verification: { maxConcurrent: 1 } } });
    await app.status('/me', asAda);
    await app.clock.advance(45_000);
    app.xpay.faults.next({ kind: 'delay', ms: 4_000 });
    const flood = app.status('/me', wrong());
    await app.xpay.waitForRequests(2);
    for (let i = 0; i < 3; i++) expect(await app.status('/me', asAda)).toBe(200);
    await app.clock.advance(4_000);
    expect(await flood).toBe(401);
    expect(await app.status('/me', asAda)).toBe(200);
    await app.xpay.waitForRequests(3);
    await settled(() => app.events.filter(({ type }) => type === 'verified').length === 2);
    await app.clock.advance(30_000);
    expect(await app.status('/me', asAda)).toBe(200);
    expect(app.asked()).toBe(3);
  });

  it('I3 · the same wrong key is rejected from the negative cache for 5 s, the correct one never', async () => {
    await using app = await startInbound(platform);
    for (let i = 0; i < 5; i++) expect(await app.status('/me', wrong())).toBe(401);
    expect(app.asked()).toBe(1);
    expect(await app.status('/me', asAda)).toBe(200);
    await app.clock.advance(4_999);
    expect(await app.status('/me', wrong())).toBe(401);
    expect(app.asked()).toBe(2);
    await app.clock.advance(1);
    app.xpay.setSecret(ada.username, 'guess-wrong');
    expect(await app.status('/me', wrong())).toBe(200);
  });

  it('I4 · another key of a cached user is verified at once, and if accepted the old entry is removed', async () => {
    await using app = await startInbound(platform);
    expect(await app.status('/me', asAda)).toBe(200);
    expect(await app.status('/me', wrong())).toBe(401);
    expect(await app.status('/me', asAda)).toBe(200);
    expect(app.asked()).toBe(2);
    app.xpay.setSecret(ada.username, 'another-secret-key');
    expect(await app.status('/me', basic(ada.username, 'another-secret-key'))).toBe(200);
    expect(await app.status('/me', asAda)).toBe(401);
  });

  it('I4 · a login with another key removes the entry of the old key; a rejected login removes it too', async () => {
    await using app = await startInbound(platform);
    const secretKey = 'another-secret-key';
    await app.status('/me', asAda);
    app.xpay.setSecret(ada.username, secretKey);
    await app.sessions.login({ username: ada.username, secretKey });
    expect(await app.status('/me', asAda)).toBe(401);

    expect(await app.status('/me', basic(ada.username, secretKey))).toBe(200);
    app.xpay.setSecret(ada.username, 'yet-another-secret-key');
    await expect(app.sessions.login({ username: ada.username, secretKey })).rejects.toThrow();
    expect(await app.status('/me', basic(ada.username, secretKey))).toBe(401);
  });

  it('I6 · failures are not cached: the next request calls the upstream again', async () => {
    await using app = await startInbound(platform);
    app.xpay.faults.next({ kind: 'html502' });
    expect(await app.status('/me', asAda)).toBe(503);
    expect(await app.status('/me', asAda)).toBe(200);
  });
});
