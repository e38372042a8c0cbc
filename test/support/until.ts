import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Waits for a condition in real time, at most `deadlineMs`. The default allows for a busy machine. Use it for several processes, whose clocks cannot be moved.
 */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  deadlineMs = 60_000,
): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`Not within ${deadlineMs} ms: ${what}`);
    await sleep(10);
  }
}
