import type { ManualClock } from 'nestjs-xpay-auth/testing';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Moves a manual clock along with real time until the work is done, and returns the result of the work. Use it for instances that
 * wait for each other. With steps of 1 ms the clock never runs ahead of real time, so no deadline passes early on a busy
 * machine.
 */
export async function pumped<T>(clock: ManualClock, work: Promise<T>, stepMs = 1): Promise<T> {
  const pending = new Set([work]);
  const settled = work.finally(() => pending.clear());
  settled.catch(() => undefined);
  while (pending.size > 0) {
    await sleep(1);
    await clock.advance(stepMs);
  }
  return settled;
}
