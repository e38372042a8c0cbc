import assert from 'node:assert/strict';
import { systemClock } from '../../async/system-clock.js';

/** One requirement of a contract, with its test. */
export interface ContractCase {
  /** A sentence that begins with the name of what is tested. */
  readonly title: string;
  /** Resolves if the requirement is met; rejects with an `AssertionError` of `node:assert` if not. */
  readonly run: () => Promise<void>;
}

/** The cases of a contract. Each title begins with `name`, the name of the tested adapter. */
export function casesOf<P>(
  name: string,
  plays: Readonly<Record<string, P>>,
  run: (play: P) => Promise<void>,
): readonly ContractCase[] {
  return Object.entries(plays).map(([sentence, play]) => ({ title: `${name} ${sentence}`, run: () => run(play) }));
}

/** Waits at most five seconds for a condition. Sockets and timers continue to work during the wait. */
export async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = systemClock.monotonic() + 5_000;
  while (!(await condition())) {
    assert.ok(systemClock.monotonic() < deadline, `not within 5 s: ${what}`);
    await new Promise<void>((resolve) => void systemClock.setTimer(resolve, 10));
  }
}
