import { describe, expect, it } from '@jest/globals';
import { type Dialect, XPayAuthError, type XPayTokenService, xPay } from 'nestjs-xpay-auth';
import { ManualClock } from 'nestjs-xpay-auth/testing';
import { SleeplessBootClock, SteppedBootClock, withoutBootClock } from '../support/boot-clocks.js';
import { figure } from './figures.js';
import { HOUR_MS, type Outbound, failureOf, served, startOutbound, until } from './outbound.js';

const MINUTE_MS = 60_000;
/** Not a whole second, so that a coarse boot clock is off. */
const START = Date.UTC(2026, 0, 1) + 990;

const sleepCounting: [string, () => ManualClock][] = [
  ['10 ms', () => new SteppedBootClock(10, START)],
  ['1 s', () => new SteppedBootClock(1_000, START)],
];

const startOn = (clock: ManualClock): Promise<Outbound> => startOutbound({}, {}, undefined, clock);

/**
 * Outcomes for `calls` concurrent callers: tokens that the upstream would accept, expired ones, and failures by code.
 */
async function outcomes(app: Outbound, calls: number): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  const outcome = async (get: ReturnType<XPayTokenService['getToken']>): Promise<string> => {
    try {
      return app.xpay.isLive((await get).value) ? 'live' : 'dead';
    } catch (failure) {
      return failure instanceof XPayAuthError ? failure.code : 'foreign error';
    }
  };
  const all = await Promise.all(Array.from({ length: calls }, () => outcome(app.tokens.getToken())));
  for (const kind of all) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

/** 500 callers: 200 concurrent and 300 successive ones. */
async function callers500(app: Outbound): Promise<Record<string, number>> {
  const counts = await outcomes(app, 200);
  for (let i = 0; i < 300; i++) {
    for (const [kind, count] of Object.entries(await outcomes(app, 1))) counts[kind] = (counts[kind] ?? 0) + count;
  }
  return counts;
}

describe('a machine that sleeps', () => {
  it.each(sleepCounting)(
    'E3 · hands out no expired token after a sleep past its end (boot clock in steps of %s)',
    async (resolution, clock) => {
      await using app = await startOn(clock());
      await served(100, () => app.tokens.getToken());
      app.clock.sleep(HOUR_MS + 10);
      expect(app.tokens.peek()).toBeUndefined();
      expect(app.tokens.status()).toMatchObject({ state: 'expired', usableForMs: 0 });
      const counts = await callers500(app);
      expect(counts).toEqual({ live: 500 });
      expect(app.logins()).toBe(2);
      figure('E3', `asleep past the token's end, boot clock in steps of ${resolution}`, '0 expired tokens of 500');
    },
  );

  it.each(sleepCounting)(
    'E3 · fails with a typed error after such a sleep while the upstream is down (boot clock in steps of %s)',
    async (resolution, clock) => {
      await using app = await startOn(clock());
      await served(100, () => app.tokens.getToken());
      app.xpay.faults.always({ kind: 'reset' });
      app.clock.sleep(HOUR_MS + 10);
      expect(app.tokens.peek()).toBeUndefined();
      expect(await callers500(app)).toEqual({ upstream_unavailable: 500 });
      figure(
        'E3',
        `asleep past the token's end, upstream down, boot clock in steps of ${resolution}`,
        '0 expired tokens of 500',
      );
    },
  );

  it.each(sleepCounting)('E3 · subtracts sleep from the lifetime (boot clock in steps of %s)', async (_, clock) => {
    await using app = await startOn(clock());
    await app.tokens.getToken();
    for (let i = 0; i < 4; i++) app.clock.sleep(8 * MINUTE_MS);
    expect(app.tokens.status().state).toBe('fresh');
    expect(await outcomes(app, 50)).toEqual({ live: 50 });
    expect(app.logins()).toBe(1);
    app.xpay.faults.always({ kind: 'reset' });
    app.clock.sleep(26 * MINUTE_MS);
    expect(app.tokens.status().state).toBe('stale');
    expect(await outcomes(app, 50)).toEqual({ live: 50 });
    app.clock.sleep(3 * MINUTE_MS);
    expect(app.tokens.status().state).toBe('expired');
    expect(await outcomes(app, 50)).toEqual({ upstream_unavailable: 50 });
  });

  it.each(sleepCounting)(
    'E3 · counts a sleep that a correction of the wall clock partly hides (boot clock in steps of %s)',
    async (_, clock) => {
      for (const correction of [-2 * HOUR_MS, 30 * MINUTE_MS - HOUR_MS, 2 * HOUR_MS]) {
        await using app = await startOn(clock());
        await served(100, () => app.tokens.getToken());
        app.clock.sleep(HOUR_MS + 10);
        app.clock.stepWall(correction);
        app.xpay.clockSkewMs -= correction;
        expect(app.tokens.peek()).toBeUndefined();
        expect(await outcomes(app, 50)).toEqual({ live: 50 });
      }
    },
  );

  it('E3 · accepts no token from a login during which the machine slept past its end', async () => {
    const inner = xPay();
    const answers: (() => void)[] = [];
    const dialect: Dialect = {
      ...inner,
      async authenticate(...asked) {
        const grant = await inner.authenticate(...asked);
        await new Promise<void>((resolve) => answers.push(resolve));
        return grant;
      },
    };
    await using app = await startOutbound({ dialect });
    const waiting = outcomes(app, 50);
    await until(() => answers.length === 1);
    app.clock.sleep(2 * HOUR_MS);
    answers[0]?.();
    await until(() => answers.length === 2 || app.events.length === 1);
    answers[1]?.();
    expect((await waiting)['dead']).toBeUndefined();
    expect(app.tokens.peek()).toBeUndefined();
  });
});

describe('a jump of the wall clock without sleep', () => {
  it.each([
    ['without a boot clock', () => withoutBootClock(new ManualClock(START))],
    ['with a boot clock that does not count sleep', () => new SleeplessBootClock(START)],
  ])('E3 · makes callers wait for one renewal if the token is expired by it (%s)', async (which, clock) => {
    await using app = await startOn(clock());
    await served(100, () => app.tokens.getToken());
    app.clock.sleep(HOUR_MS + 10);
    expect(app.tokens.peek()).toBeUndefined();
    expect(app.tokens.status()).toMatchObject({ state: 'expired', usableForMs: 0 });
    expect(await callers500(app)).toEqual({ live: 500 });
    expect(app.logins()).toBe(2);
    figure('E3', `asleep past the token's end, ${which}`, '0 expired tokens of 500');
  });

  it.each([2 * HOUR_MS, -2 * HOUR_MS])('E3 · of %i ms fails no caller while the upstream is down', async (step) => {
    await using app = await startOn(new SteppedBootClock(10, START));
    await served(100, () => app.tokens.getToken());
    app.xpay.faults.always({ kind: 'unavailable' });
    app.clock.stepWall(step);
    app.xpay.clockSkewMs -= step;
    expect(await callers500(app)).toEqual({ live: 500 });
    expect(app.tokens.peek()).toBeDefined();
    expect(app.tokens.status().state).toBe(step > 0 ? 'stale' : 'fresh');
    expect(app.logins()).toBe(step > 0 ? 2 : 1);
    figure('E3', `wall clock steps ${step / HOUR_MS} h while the upstream is down: callers with a token`, '500 of 500');
  });

  it('E3 · ends our own backoff once, so that the renewal is tried', async () => {
    await using app = await startOn(new SleeplessBootClock(START));
    await app.tokens.getToken();
    await app.clock.advance(50 * MINUTE_MS);
    app.xpay.faults.next({ kind: 'unavailable' });
    await app.tokens.getToken();
    await until(() => app.tokens.status().failures === 1);
    app.clock.sleep(2 * HOUR_MS);
    expect(await outcomes(app, 50)).toEqual({ live: 50 });
    expect(app.logins()).toBe(3);
  });

  it('E3 · lets a caller that waits for the renewal abort', async () => {
    await using app = await startOn(new SleeplessBootClock(START));
    await app.tokens.getToken();
    app.xpay.faults.always({ kind: 'hang' });
    app.clock.sleep(2 * HOUR_MS);
    const leaving = new AbortController();
    const waiting = app.tokens.getToken({ signal: leaving.signal });
    leaving.abort(new XPayAuthError('shutting_down', 'the caller aborted'));
    expect((await failureOf(waiting)).message).toBe('the caller aborted');
  });
});
