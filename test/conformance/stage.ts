import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Fault, type ManualClock, type XPayEmulator, xpayMalformed } from 'nestjs-xpay-auth/testing';
import type { CommonStep, Tally, UpstreamChanges } from './schema.js';

type UpstreamAnswerName = NonNullable<UpstreamChanges['always']>;

const LOGIN = '/client/authenticate';

/** Runs the steps of a case, and compares the result. */
export interface Stage<Step> extends AsyncDisposable {
  /** Throws if the expectation of the step does not hold. */
  take(step: Step): Promise<void>;
  /** Throws unless exactly this has happened. */
  check(tally: Tally): Promise<void>;
}

/** The common parts of both stages. */
export interface Set {
  readonly clock: ManualClock;
  readonly xpay: XPayEmulator;
  /** All events so far, in the words of the cases. */
  readonly events: () => readonly string[];
}

export async function takeCommonStep(set: Set, step: CommonStep): Promise<void> {
  if (step.do === 'advance') return set.clock.advance(step.ms);
  return step.do === 'expect' ? checkTally(set, step) : changeUpstream(set.xpay, step);
}

export function changeUpstream(xpay: XPayEmulator, changes: UpstreamChanges): void {
  if (changes.lifeMs !== undefined) xpay.tokenLifeMs = changes.lifeMs;
  for (const [username, { secretKey }] of Object.entries(changes.accounts ?? {}))
    xpay.addAccount({ username, secretKey });
  if (changes.clear === true) xpay.faults.clear();
  const faults: Record<UpstreamAnswerName, Fault> = {
    badGateway: { kind: 'html502' },
    refuses: { kind: 'transform', transform: () => ({ error: { message: 'invalid credentials', data: null } }) },
    expired: xpayMalformed.expiryInThePast,
    redirects: { kind: 'redirect', location: xpay.url + LOGIN },
  };
  for (const answer of changes.next ?? []) xpay.faults.next(faults[answer], { path: LOGIN });
  if (changes.always !== undefined) xpay.faults.always(faults[changes.always], { path: LOGIN });
}

export async function checkTally({ clock, xpay, events }: Set, { logins, events: expected }: Tally): Promise<void> {
  if (expected !== undefined) {
    // Background requests take their time on the sockets. An additional event is a failure, too.
    await soon(() => events().length >= expected.length);
    await clock.advance(0);
    assert.deepEqual(events(), expected, 'the events');
  }
  await soon(() => xpay.requests(LOGIN) >= (logins ?? 0));
  if (logins !== undefined) assert.equal(xpay.requests(LOGIN), logins, 'the number of logins at the upstream');
}

/** Waits for a condition. After the timeout the caller reports the missing part. */
async function soon(holds: () => boolean, withinMs = 2_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!holds() && performance.now() < deadline) await nextTurn();
}
