import { uptime } from 'node:os';
import type { Clock } from '../core/clock.js';

/** Node fires a timer beyond this at once; see the `delay` parameter of `setTimeout` in the Node.js docs. */
const LONGEST_NODE_TIMER_MS = 2 ** 31 - 1;

/** The real time of this machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  uptime: () => uptime() * 1_000,
  setTimer(callback, delayMs) {
    let timer: NodeJS.Timeout;
    const arm = (remainingMs: number): void => {
      const stepMs = Math.min(Math.max(0, remainingMs), LONGEST_NODE_TIMER_MS);
      timer = setTimeout(() => (remainingMs > stepMs ? arm(remainingMs - stepMs) : callback()), stepMs);
      timer.unref();
    };
    arm(delayMs);
    return () => clearTimeout(timer);
  },
};
