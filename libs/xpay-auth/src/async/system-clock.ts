import { uptime } from 'node:os';
import { type CancelTimer, type Clock, SMALLEST_STEP_MS } from '../core/clock.js';

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

/** Resolution of the boot clock on some platforms: a gain of up to 1 s may be none. */
const COARSEST_UPTIME_MS = 1_000;

/**
 * A clock whose `monotonic()` also counts the time for which the machine was asleep, so that every age and every lifetime
 * includes it. The monotonic clock of Linux (`CLOCK_MONOTONIC`) stands still meanwhile, and the boot clock does not. The boot
 * clock takes a hundred times as long to read, so it is read only when the wall clock has gained on the monotonic one.
 */
export class SleepAwareClock implements Clock {
  #sleptMs = 0;
  /** By how many ms the wall clock was ahead of the monotonic one, when the boot clock was read last. */
  #wallAheadMs: number;
  /** By how many ms the boot clock was ahead of the monotonic one, sleep counted so far included. */
  #bootAheadMs: number;

  constructor(private readonly clock: Clock) {
    const mono = clock.monotonic();
    this.#wallAheadMs = clock.now() - mono;
    this.#bootAheadMs = this.#readUptime() - mono;
  }

  now(): number {
    return this.clock.now();
  }

  /** Ms since an arbitrary start, time asleep included. */
  monotonic(): number {
    const mono = this.clock.monotonic();
    const wallGainMs = this.clock.now() - mono - this.#wallAheadMs;
    if (wallGainMs > SMALLEST_STEP_MS || wallGainMs < -SMALLEST_STEP_MS) this.#countSleep(mono, wallGainMs);
    return mono + this.#sleptMs;
  }

  setTimer(callback: () => void, delayMs: number): CancelTimer {
    return this.clock.setTimer(callback, delayMs);
  }

  #countSleep(mono: number, wallGainMs: number): void {
    this.#wallAheadMs += wallGainMs;
    const bootGainMs = this.#readUptime() - mono - this.#bootAheadMs;
    // Without a boot clock this is no number.
    if (!(bootGainMs > COARSEST_UPTIME_MS)) return;
    this.#bootAheadMs += bootGainMs;
    // The resolution of the boot clock may hide up to a second; the wall clock shows it.
    this.#sleptMs += Math.max(bootGainMs, Math.min(wallGainMs, bootGainMs + COARSEST_UPTIME_MS));
  }

  #readUptime(): number {
    try {
      return this.clock.uptime?.() ?? NaN;
    } catch {
      // Some sandboxes forbid it.
      return NaN;
    }
  }
}
