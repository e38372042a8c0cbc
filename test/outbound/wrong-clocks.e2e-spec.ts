import { describe, expect, it } from '@jest/globals';
import { ManualClock, type XPayEmulator } from 'nestjs-xpay-auth/testing';
import { DatingGateway } from '../support/dating-gateway.js';
import { figure } from './figures.js';
import { HOUR_MS, type Outbound, failureOf, startOutbound, until } from './outbound.js';

const MINUTE_MS = 60_000;
const NOON = Date.UTC(2026, 0, 1, 12);
const YEAR_9999 = Date.UTC(9999, 11, 31, 23, 59, 59);
const CENTURY_MS = 100 * 365 * 86_400_000;

interface HandOuts {
  handedOut: number;
  dead: number;
}

/** Requests tokens at distances of up to `longestMs`, and counts those that the upstream would reject. */
async function handOut(app: Outbound, counts: HandOuts, times: number, longestMs: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    const token = await app.tokens.getToken();
    counts.handedOut++;
    counts.dead += app.xpay.isLive(token.value) ? 0 : 1;
    await app.clock.advance(Math.round(((i * 0.37 + 0.2) % 1) * longestMs));
    // A request in the background is a real one, and needs time that this clock does not give.
    await until(() => app.logins() === app.events.filter(({ type }) => type !== 'expired').length);
  }
}

const twoHoursFast = (upstream: XPayEmulator): string => new Date(upstream.now() + 2 * HOUR_MS).toUTCString();

interface Gateway extends AsyncDisposable {
  readonly app: Outbound;
}

/** An upstream with a correct clock, behind a gateway that sets the Date of responses. */
async function startBehindGateway(date: (upstream: XPayEmulator) => string, clock: ManualClock): Promise<Gateway> {
  const gateway = await DatingGateway.start();
  const prepare = (upstream: XPayEmulator): void => {
    gateway.target = upstream.url;
    gateway.date = () => date(upstream);
  };
  const app = await startOutbound({ baseUrl: gateway.url }, {}, prepare, clock);
  return {
    app,
    async [Symbol.asyncDispose]() {
      await app[Symbol.asyncDispose]();
      await gateway[Symbol.asyncDispose]();
    },
  };
}

describe('short lifetimes at an upstream whose clock is off', () => {
  const skews = [1_500, 2_000, 3_300, 10_000, 40_000].flatMap((ms) => [ms, -ms]);

  it.each([2_000, 3_000, 4_000, 5_000, 6_000, 7_000, 8_000])(
    'E4 · hands out no expired token of %i ms, for any skew',
    async (tokenLifeMs) => {
      const counts = { handedOut: 0, dead: 0 };
      for (const clockSkewMs of skews) {
        await using app = await startOutbound({}, { tokenLifeMs, clockSkewMs }, undefined, new ManualClock(NOON + 370));
        await handOut(app, counts, 22, 1.1 * tokenLifeMs);
      }
      expect(counts).toEqual({ handedOut: 220, dead: 0 });
      const situation = `tokens of ${tokenLifeMs / 1_000} s, the upstream's clock off by 1.5 to 40 s`;
      figure('E4', situation, `${counts.dead} expired tokens of ${counts.handedOut}`);
    },
  );

  it('E4 · never subtracts more than half of a lifetime for the second that Date lost', async () => {
    await using app = await startOutbound({}, { tokenLifeMs: 1_000 }, undefined, new ManualClock(NOON));
    await app.tokens.getToken();
    // 500 ms, less a tenth.
    expect(app.tokens.status().usableForMs).toBe(450);
  });
});

describe("a gateway that sets the Date of an upstream's responses", () => {
  const dates: [string, (now: number) => number][] = [
    ['2 h slow', (now) => now - 2 * HOUR_MS],
    ['2 h fast', (now) => now + 2 * HOUR_MS],
    ['59 min slow', (now) => now - 59 * MINUTE_MS],
    ['59 min fast', (now) => now + 59 * MINUTE_MS],
    ['in 1970', () => 0],
    ['in 9999', () => YEAR_9999],
  ];

  it.each(dates)('E4 · with a Date %s no caller gets an expired token', async (which, dated) => {
    const date = (upstream: XPayEmulator): string => new Date(dated(upstream.now())).toUTCString();
    await using stage = await startBehindGateway(date, new ManualClock(NOON + 370));
    const { app } = stage;
    const counts = { handedOut: 0, dead: 0 };
    await handOut(app, counts, 36, 1.1 * HOUR_MS);
    expect(counts).toEqual({ handedOut: 36, dead: 0 });
    expect(app.tokens.status().usableForMs).toBeLessThanOrEqual(HOUR_MS);
    figure('E4', `Date header of a gateway ${which}`, `${counts.dead} expired tokens of ${counts.handedOut}`);
  });

  it.each(dates)(
    'E4 · with a correct Date no caller gets an expired token while our own clock is %s',
    async (which, ours) => {
      const clock = new ManualClock(ours(NOON) + 370);
      const skewMs = NOON - ours(NOON);
      await using app = await startOutbound({}, { clockSkewMs: skewMs }, undefined, clock);
      const counts = { handedOut: 0, dead: 0 };
      await handOut(app, counts, 36, 1.1 * HOUR_MS);
      expect(counts).toEqual({ handedOut: 36, dead: 0 });
      figure('E4', `our own clock ${which}`, `${counts.dead} expired tokens of ${counts.handedOut}`);
    },
  );

  it('E4 · fails with upstream_malformed for an expiry that is past by both clocks', async () => {
    await using stage = await startBehindGateway(twoHoursFast, new ManualClock(NOON));
    stage.app.xpay.clockSkewMs = -2 * HOUR_MS;
    stage.app.xpay.tokenLifeMs = HOUR_MS;
    expect(await failureOf(stage.app.tokens.getToken())).toMatchObject({ code: 'upstream_malformed' });
  });
});

describe('an expiry in the year 9999', () => {
  it('E7 · is accepted, and capped at a hundred years', async () => {
    await using app = await startOutbound({}, {}, (upstream) => {
      upstream.faults.always({
        kind: 'transform',
        transform: (body) =>
          JSON.parse(
            JSON.stringify(body, (key, value: unknown) => (key === 'expiresAt' ? YEAR_9999 : value)),
          ) as unknown,
      });
    });
    const token = await app.tokens.getToken();
    expect(token.expiresAt).toBe(YEAR_9999);
    expect(app.tokens.status()).toMatchObject({ state: 'fresh', usableForMs: CENTURY_MS - 30_000 });
    figure('E7', 'expiresAt in the year 9999', 'accepted, for 100 years');
  });
});
