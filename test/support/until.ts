import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Waits for a condition of the real world, at most `deadlineMs`: for several processes, whose clock cannot be moved.
 */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  deadlineMs = 5_000,
): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`Not within ${deadlineMs} ms: ${what}`);
    await sleep(10);
  }
}
