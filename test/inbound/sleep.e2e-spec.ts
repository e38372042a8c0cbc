import { describe, expect, it } from '@jest/globals';
import { ManualClock, MemoryStore } from 'nestjs-xpay-auth/testing';
import { SleeplessBootClock, SteppedBootClock, withoutBootClock } from '../support/boot-clocks.js';
import { ada, asAda, startInbound } from '../support/inbound-app.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
/** Not a whole second, so that a coarse boot clock is off. */
const START = Date.UTC(2026, 0, 1) + 990;
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

describe.each([
  ['10 ms', () => new SteppedBootClock(10, START)],
  ['1 s', () => new SteppedBootClock(1_000, START)],
])('a machine that sleeps, with a boot clock in steps of %s', (_, clock) => {
  it('E3 · accepts a cached caller until the period is over, sleep included', async () => {
    await using app = await startInbound('express', { clock: clock() });
    expect(await app.status('/me', asAda)).toBe(200);
    app.clock.sleep(20_000);
    await app.clock.advance(20_000);
    expect(await app.status('/me', asAda)).toBe(200);
    expect(app.asked()).toBe(1);
    app.xpay.removeAccount(ada.username);
    app.clock.sleep(20_000);
    expect(await app.status('/me', asAda)).toBe(401);
  });

  it('E3 · accepts no cached caller past its period though the wall clock was set back meanwhile', async () => {
    await using app = await startInbound('express', { clock: clock() });
    expect(await app.status('/me', asAda)).toBe(200);
    app.xpay.removeAccount(ada.username);
    app.clock.sleep(10 * MINUTE_MS);
    app.clock.stepWall(-10 * MINUTE_MS - 5_000);
    expect(await app.status('/me', asAda)).toBe(401);
  });

  it.each([['here', false] as const, ['in a shared store', true] as const])(
    'E3 · accepts no session that is kept %s past its end though the wall clock was set back meanwhile',
    async (__, shared) => {
      const machine = clock();
      const options = { session: { periodMs: HOUR_MS }, ...(shared && { store: new MemoryStore(machine) }) };
      await using app = await startInbound('express', { clock: machine, options });
      const { accessToken } = await app.sessions.login(ada);
      app.clock.sleep(HOUR_MS / 2);
      app.clock.stepWall(-2 * HOUR_MS);
      expect(await app.status('/me', bearer(accessToken))).toBe(200);
      app.clock.sleep(HOUR_MS / 2);
      expect(await app.status('/me', bearer(accessToken))).toBe(401);
    },
  );

  it('E3 · counts sleep as time without use', async () => {
    const options = { session: { idleMs: 5 * MINUTE_MS } };
    await using app = await startInbound('express', { clock: clock(), options });
    const { accessToken } = await app.sessions.login(ada);
    app.clock.sleep(4 * MINUTE_MS);
    expect(await app.status('/me', bearer(accessToken))).toBe(200);
    app.clock.sleep(5 * MINUTE_MS);
    expect(await app.status('/me', bearer(accessToken))).toBe(401);
  });
});

describe.each([
  ['without a boot clock', () => withoutBootClock(new ManualClock(START))],
  ['with a boot clock that counts no sleep', () => new SleeplessBootClock(START)],
])('a machine that sleeps, %s', (_, clock) => {
  it('E3 · accepts neither a cached caller past its period nor a session past its end', async () => {
    await using app = await startInbound('express', { clock: clock(), options: { session: { periodMs: HOUR_MS } } });
    const { accessToken } = await app.sessions.login(ada);
    expect(await app.status('/me', asAda)).toBe(200);
    app.xpay.removeAccount(ada.username);
    app.clock.sleep(MINUTE_MS);
    expect(await app.status('/me', asAda)).toBe(401);
    expect(await app.status('/me', bearer(accessToken))).toBe(200);
    app.clock.sleep(HOUR_MS - MINUTE_MS);
    expect(await app.status('/me', bearer(accessToken))).toBe(401);
  });
});
