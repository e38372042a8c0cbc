import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ManualClock, XPayEmulator } from 'nestjs-xpay-auth/testing';
import type { Tally, UpstreamChanges } from './schema.js';
import { CALLS, LOGIN, changeUpstream } from './upstream-script.js';

/** Where the steps of a case are taken, and what it is judged by. */
export interface Stage<Step> extends AsyncDisposable {
  /** Throws when the step's expectation does not hold. */
  take(step: Step): Promise<void>;
  /** Throws unless it is exactly so. */
  check(tally: Tally): Promise<void>;
}

/** What a stage of either kind is made of. */
export interface Set {
  readonly clock: ManualClock;
  readonly xpay: XPayEmulator;
  /** Everything that has been told so far, in the words of the cases. */
  readonly events: () => readonly string[];
}

/** The steps that tokens and verification have in common. */
export type CommonStep =
  | { readonly do: 'advance'; readonly ms: number }
  | { readonly do: 'stepWall'; readonly ms: number }
  | ({ readonly do: 'upstream' } & UpstreamChanges)
  | ({ readonly do: 'expect' } & Tally);

export async function takeCommonStep(set: Set, step: CommonStep): Promise<void> {
  switch (step.do) {
    case 'advance':
      return set.clock.advance(step.ms);
    case 'stepWall':
      return set.clock.stepWall(step.ms);
    case 'upstream':
      return changeUpstream(set.xpay, step);
    case 'expect':
      return checkTally(set, step);
  }
}

export async function checkTally(
  { clock, xpay, events }: Set,
  { logins, calls, events: expected }: Tally,
): Promise<void> {
  if (expected !== undefined) {
    // What happens behind the callers takes its time on the sockets; one event more than expected is a failure, too.
    await soon(() => events().length >= expected.length);
    await clock.advance(0);
    assert.deepEqual(events(), expected, 'the events');
  }
  await soon(() => xpay.requests(LOGIN) >= (logins ?? 0) && xpay.requests(CALLS) >= (calls ?? 0));
  if (logins !== undefined) assert.equal(xpay.requests(LOGIN), logins, 'how often the upstream was asked to log in');
  if (calls !== undefined) assert.equal(xpay.requests(CALLS), calls, "how often the upstream's API was called");
}

/** Waits for what sockets bring; gives up quietly, for what comes after says what was missing. */
export async function soon(holds: () => boolean, withinMs = 2_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!holds() && performance.now() < deadline) await nextTurn();
}

/** A number where a number, or a range, is expected. */
export function checkNumber(actual: number | undefined, expected: number | [number, number], what: string): void {
  const [least, most] = typeof expected === 'number' ? [expected, expected] : expected;
  assert.ok(
    actual !== undefined && actual >= least && actual <= most,
    `${what}: ${actual}, expected ${String(expected)}`,
  );
}
