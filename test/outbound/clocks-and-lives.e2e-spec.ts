import { describe, expect, it, jest } from '@jest/globals';
import { AccessToken, type Dialect, type Grant, systemClock, xPay } from 'nestjs-xpay-auth';
import { xpayMalformed } from 'nestjs-xpay-auth/testing';
import { figure } from './figures.js';
import { COUNTED_HOUR_MS, HOUR_MS, type Outbound, failureOf, served, startOutbound, until } from './outbound.js';

const TWO_HOURS_MS = 7_200_000;
const DAY_MS = 86_400_000;

/** Counts the tokens handed out that the upstream would reject, over a period, at intervals. */
async function deadTokens(app: Outbound, whileMs: number, everyMs: number): Promise<number> {
  let dead = 0;
  for (let ms = 0; ms < whileMs; ms += everyMs) {
    const token = await app.tokens.getToken();
    dead += app.xpay.isLive(token.value) ? 0 : 1;
    await app.clock.advance(everyMs);
  }
  return dead;
}

/** Moves the machine's wall clock. The upstream's clock stays correct. */
function stepOurWall(app: Outbound, ms: number): void {
  app.clock.stepWall(ms);
  app.xpay.clockSkewMs -= ms;
}

describe('clocks', () => {
  it.each([TWO_HOURS_MS, -TWO_HOURS_MS])(
    'O10 · a step of the wall clock by %i ms hands out no expired token',
    async (step) => {
      await using app = await startOutbound();
      await app.tokens.getToken();
      await app.clock.advance(60_000);
      stepOurWall(app, step);
      const dead = await deadTokens(app, 3 * HOUR_MS, 60_000);
      expect(dead).toBe(0);
      expect(app.logins()).toBeLessThanOrEqual(6);
      figure('O10', `wall clock steps ${step / HOUR_MS} h: expired tokens returned in 3 h`, `${dead} of 180`);
    },
  );

  it('O10 · a wall clock set back by exactly the elapsed time makes no expired token valid', async () => {
    await using app = await startOutbound();
    const old = await app.tokens.getToken();
    await app.clock.advance(TWO_HOURS_MS);
    stepOurWall(app, -TWO_HOURS_MS);
    expect(app.tokens.peek()).toBeUndefined();
    expect(await app.tokens.getToken()).not.toBe(old);
  });

  it('O10 · after a jump of the wall clock without sleep the token is served and renewed in the background', async () => {
    await using app = await startOutbound();
    const old = await app.tokens.getToken();
    await served(3, () => app.tokens.getToken());
    app.clock.stepWall(20 * 60_000);
    expect(await app.tokens.getToken()).toBe(old);
    expect(app.tokens.status().state).toBe('stale');
    await until(() => app.events.length === 2);
    expect(app.tokens.status().state).toBe('fresh');
    const count = await served(50, () => app.tokens.getToken());
    expect([count, app.logins()]).toEqual([50, 2]);
    figure(
      'O10',
      'wall clock jumps 20 min ahead, 50 callers: callers with a token, requests in the background',
      `${count}, ${app.logins() - 1}`,
    );
  });

  it('O10 · in a burst the jump is detected within a ms', async () => {
    await using app = await startOutbound();
    await app.tokens.getToken();
    await served(1_000, () => app.tokens.getToken());
    app.clock.stepWall(TWO_HOURS_MS);
    await app.clock.advance(1);
    await app.tokens.getToken();
    await until(() => app.logins() === 2);
  });

  it('O10 · small steps, as a time server makes them, have no effect', async () => {
    await using app = await startOutbound();
    await app.tokens.getToken();
    for (const step of [1_500, -900, 800, -1_500]) {
      app.clock.stepWall(step);
      await app.clock.advance(60_000);
      await app.tokens.getToken();
    }
    expect(app.logins()).toBe(1);
  });

  it.each([TWO_HOURS_MS, -TWO_HOURS_MS, 40_000, -40_000])(
    'O10 · an upstream whose clock is off by %i ms: no expired token, and one warning',
    async (clockSkewMs) => {
      await using app = await startOutbound({}, { clockSkewMs });
      const dead = await deadTokens(app, 3 * HOUR_MS, 60_000);
      expect(dead).toBe(0);
      expect(app.logins()).toBeLessThanOrEqual(6);
      expect(app.tokens.status().clockSkewMs).toBe(clockSkewMs);
      const warnings = app.lines.filter((line) => line.includes("The upstream's clock is"));
      expect(warnings).toEqual([
        expect.stringMatching(clockSkewMs > 0 ? /^warn .* ahead of ours/ : /^warn .* behind ours/),
      ]);
      figure(
        'O10',
        `upstream's clock off by ${clockSkewMs / 1_000} s: expired tokens returned in 3 h`,
        `${dead} of 180`,
      );
    },
  );

  it('O10 · a delayed response with an early Date is not taken for a slow clock', async () => {
    const grants: ((grant: Grant) => void)[] = [];
    const dialect: Dialect = { ...xPay(), authenticate: () => new Promise((resolve) => grants.push(resolve)) };
    await using app = await startOutbound({ dialect });
    const dated = app.clock.now();
    const waiting = app.tokens.getToken();
    await until(() => grants.length === 1);
    await app.clock.advance(4_000);
    const accessToken = new AccessToken('a-slow-token', { expiresAt: dated + HOUR_MS });
    grants[0]?.({ accessToken, username: 'app@example.test', scopes: [], isAPI: true, upstreamNow: dated });
    await waiting;
    expect(app.tokens.status()).toMatchObject({ clockSkewMs: 0, usableForMs: COUNTED_HOUR_MS - 4_000 - 30_000 });
    expect(app.lines.filter((line) => line.startsWith('warn'))).toEqual([]);
  });

  it('O10 · without a Date there is no comparison, and expiry is read by our clock', async () => {
    await using app = await startOutbound({}, { dateHeader: false });
    await app.tokens.getToken();
    expect(app.tokens.status()).toMatchObject({ clockSkewMs: 0, usableForMs: HOUR_MS - 30_000 });
  });

  it.each(['0', '-1', 'soon 5', '2020', '2020-01-01T00:00:00Z'])(
    'O10 · an invalid Date header (%s) is ignored, and extends no lifetime',
    async (date) => {
      await using app = await startOutbound({}, { dateHeader: false });
      const data = { access_token: 'a-token', expiresAt: app.clock.now() + HOUR_MS, user: { username: 'app' } };
      app.xpay.faults.next({ kind: 'status', status: 200, headers: { date }, body: { success: { data } } });
      await app.tokens.getToken();
      expect(app.tokens.status()).toMatchObject({ clockSkewMs: 0, usableForMs: HOUR_MS - 30_000 });
    },
  );
});

describe('lifetimes', () => {
  const lives = [
    { life: '2 s', lifeMs: 2_000, everyMs: 50, renewals: 20 },
    { life: '5 s', lifeMs: 5_000, everyMs: 100, renewals: 20 },
    { life: '60 s', lifeMs: 60_000, everyMs: 1_000, renewals: 20 },
    { life: '1 h', lifeMs: HOUR_MS, everyMs: 60_000, renewals: 20 },
    { life: '1,000 days', lifeMs: 1_000 * DAY_MS, everyMs: 10 * DAY_MS, renewals: 2 },
  ];
  it.each(lives)('O11 · a token of $life is usable, and renewed in the background', async (row) => {
    await using app = await startOutbound({}, { tokenLifeMs: row.lifeMs });
    const whileMs = row.renewals * 0.7 * row.lifeMs;
    await app.tokens.getToken();
    let waited = 0;
    let dead = 0;
    for (let ms = 0; ms < whileMs; ms += row.everyMs) {
      waited += app.tokens.peek() === undefined ? 1 : 0;
      dead += app.xpay.isLive((await app.tokens.getToken()).value) ? 0 : 1;
      await app.clock.advance(row.everyMs);
      // A request in the background is a real one, and needs time that this clock does not give.
      await until(() => app.logins() === app.events.length);
    }
    expect([waited, dead]).toEqual([0, 0]);
    // One login per 65 to 75 % of a lifetime, and at most one step of the test later. `Date` may have lost a second.
    const shortestMs = Math.max(row.lifeMs - 1_000, row.lifeMs / 2);
    expect(app.logins()).toBeLessThanOrEqual(1 + Math.ceil(whileMs / (0.65 * shortestMs)));
    expect(app.logins()).toBeGreaterThanOrEqual(Math.floor(whileMs / (0.75 * row.lifeMs + row.everyMs)));
    figure(
      'O11',
      `tokens of ${row.life}, for ${row.renewals} renewals`,
      `${app.logins()} requests, ${waited} callers waited, ${dead} expired tokens`,
    );
  });

  it('O11 · no timer runs until the expiry of a token', async () => {
    await using app = await startOutbound({}, { tokenLifeMs: 1_000 * DAY_MS });
    await app.tokens.getToken();
    expect(app.clock.pendingTimers).toBe(0);
  });

  it('O11 · the system clock does not fire a timer of 25 days at once', async () => {
    jest.useFakeTimers();
    try {
      let fired = 0;
      const cancel = systemClock.setTimer(() => fired++, 1_000 * DAY_MS);
      await jest.advanceTimersByTimeAsync(1_000 * DAY_MS - 1);
      expect(fired).toBe(0);
      await jest.advanceTimersByTimeAsync(1);
      expect(fired).toBe(1);
      cancel();
      const stop = systemClock.setTimer(() => fired++, 60 * DAY_MS);
      await jest.advanceTimersByTimeAsync(30 * DAY_MS);
      stop();
      await jest.advanceTimersByTimeAsync(60 * DAY_MS);
      expect(fired).toBe(1);
    } finally {
      jest.useRealTimers();
    }
  });

  it.each([
    ['in the past', xpayMalformed.expiryInThePast, /ms before it was given/],
    ['in seconds', xpayMalformed.expiryInSeconds, /seconds where ms were expected/],
    ['a text', xpayMalformed.expiryIsText, /cannot be read/],
  ] as const)('O12 · an expiry that is %s is upstream_malformed, and causes no loop', async (which, fault, words) => {
    await using app = await startOutbound();
    app.xpay.faults.always(fault);
    const failure = await failureOf(app.tokens.getToken());
    expect(failure).toMatchObject({ code: 'upstream_malformed', status: 502 });
    expect(failure.message).toMatch(words);
    await served(200, () => app.tokens.getToken());
    expect(app.logins()).toBe(1);
    figure('O12', `an expiry that is ${which}: 200 callers`, `${failure.code}, ${app.logins()} request`);
  });

  it.each(['bothKeys', 'noKeys', 'nullData', 'innerFalse', 'noToken', 'noUser'] as const)(
    'O12 · a malformed response (%s) is upstream_malformed, and keeps the valid token',
    async (flaw) => {
      await using app = await startOutbound();
      const good = await app.tokens.getToken();
      await app.clock.advance(0.8 * HOUR_MS);
      app.xpay.faults.always(xpayMalformed[flaw]);
      expect(await served(200, () => app.tokens.getToken())).toBe(200);
      await until(() => app.events.length === 2);
      expect(app.tokens.status()).toMatchObject({ lastError: 'upstream_malformed', failures: 1 });
      expect(app.tokens.peek()).toBe(good);
      expect(app.logins()).toBe(2);
    },
  );

  it.each([-1, 0, 1e18, Number.MAX_SAFE_INTEGER])('O12 · an expiry of %d is rejected', async (expiresAt) => {
    await using app = await startOutbound();
    app.xpay.faults.always({
      kind: 'transform',
      transform: (body) =>
        JSON.parse(JSON.stringify(body, (key, value: unknown) => (key === 'expiresAt' ? expiresAt : value))) as unknown,
    });
    expect(await failureOf(app.tokens.getToken())).toMatchObject({ code: 'upstream_malformed' });
  });

  it('O12 · without an expiry the fallback lifetime applies, never an unlimited one', async () => {
    await using app = await startOutbound();
    app.xpay.faults.always(xpayMalformed.noExpiry);
    const token = await app.tokens.getToken();
    expect(token.expiresAt).toBeUndefined();
    const { usableForMs } = app.tokens.status();
    expect(app.tokens.status()).toMatchObject({ state: 'fresh', expiresAt: undefined, usableForMs: 285_000 });
    await app.clock.advance(285_000);
    expect(app.tokens.peek()).toBeUndefined();
    await served(200, () => app.tokens.getToken());
    expect(app.logins()).toBe(2);
    figure(
      'O12',
      'the answer has no expiry: time for which the token is usable, requests for 201 callers',
      `${usableForMs / 1_000} s, ${app.logins()}`,
    );
  });

  it('O12 · the fallback lifetime is an option', async () => {
    await using app = await startOutbound({ token: { fallbackLifeMs: 10_000 } });
    app.xpay.faults.always(xpayMalformed.noExpiry);
    await app.tokens.getToken();
    expect(app.tokens.status().usableForMs).toBe(9_000);
  });
});
