import { describe, expect, it } from '@jest/globals';
import { ManualClock } from 'nestjs-xpay-auth/testing';
import { Principal } from '../core/principal.js';
import { VerificationPeriod } from './cached-callers.js';

const principal = new Principal({
  username: 'ada',
  scopes: [],
  isAPI: true,
  expiresAt: undefined,
  instance: 'default',
});

/** An answer of the upstream to a call made now, and its age over time. */
function begin({ staleIfErrorMs = 0, vouchedMs = Infinity } = {}) {
  const clock = new ManualClock();
  const period = new VerificationPeriod({ clock, policy: { periodMs: 60_000, staleIfErrorMs } });
  const checkedAt = clock.monotonic();
  const answer = { checkedAt, endsAt: checkedAt + vouchedMs };
  const wallAheadMs = clock.now() - checkedAt;
  const caller = { ...answer, principal, wallAheadMs, renewFrom: period.renewalOf(answer) };
  const holds = (): boolean => period.holds(caller, clock.monotonic());
  const holdsInTrouble = (): boolean => period.holdsInTrouble(caller, clock.monotonic());
  const nextRenewalInMs = (): number => period.nextRenewalOf(caller) - clock.monotonic();
  return { clock, period, caller, checkedAt, holds, holdsInTrouble, nextRenewalInMs };
}

describe('the period of a caller', () => {
  it('I1 · ends on the millisecond', async () => {
    const { clock, holds } = begin();
    await clock.advance(59_999);
    expect(holds()).toBe(true);
    await clock.advance(1);
    expect(holds()).toBe(false);
  });

  it('I1 · ends with the word of the upstream, where that is shorter', async () => {
    const { clock, period, caller, checkedAt, holds } = begin({ vouchedMs: 10_000 });
    expect([period.lengthOf(caller), caller.renewFrom - checkedAt]).toEqual([10_000, 7_500]);
    await clock.advance(10_000);
    expect(holds()).toBe(false);
  });

  it('I1 · is renewed in the background after three quarters, and after half of the rest while the renewal fails', async () => {
    const { clock, caller, checkedAt, nextRenewalInMs } = begin();
    expect(caller.renewFrom - checkedAt).toBe(45_000);
    await clock.advance(45_000);
    expect(nextRenewalInMs()).toBe(7_500);
    await clock.advance(14_000);
    // Never more often than every sixteenth of the period.
    expect(nextRenewalInMs()).toBe(3_750);
  });

  it('I6 · continues while the upstream cannot be called, by `staleIfErrorMs` alone', async () => {
    const [without, withIt] = [begin(), begin({ staleIfErrorMs: 5_000 })];
    for (const { clock } of [without, withIt]) await clock.advance(60_000);
    expect([without.holdsInTrouble(), withIt.holds(), withIt.holdsInTrouble()]).toEqual([false, false, true]);
    await withIt.clock.advance(5_000);
    expect(withIt.holdsInTrouble()).toBe(false);
  });

  it('I1 · is over when the machine has slept, though the monotonic clock stood still meanwhile', () => {
    const { clock, holds } = begin();
    clock.stepWall(2_000);
    expect(holds()).toBe(true);
    clock.stepWall(1);
    expect(holds()).toBe(false);
  });
});
