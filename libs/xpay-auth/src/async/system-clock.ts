import { uptime } from 'node:os';
import { type CancelTimer, type ComparedClock, type Clock, SMALLEST_STEP_MS } from '../core/clock.js';

/**
 * Longest delay of a timer. Node fires a timer with a longer delay immediately; see the `delay` parameter of `setTimeout` in the
 * Node.js docs.
 */
const LONGEST_NODE_TIMER_MS = 2 ** 31 - 1;

/** The real time of this machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  uptime: () => uptime() * 1_000,
  setTimer(callback, delayMs) {
    if (delayMs >= 0 && delayMs <= LONGEST_NODE_TIMER_MS) {
      const timer = setTimeout(callback, delayMs).unref();
      return () => clearTimeout(timer);
    }
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

/** Coarsest resolution of the boot clock on any platform. A gain of up to 1 s may therefore be a rounding error. */
const COARSEST_UPTIME_MS = 1_000;

/**
 * A clock whose `monotonic()` also counts the time during which the machine slept, so that every age and every lifetime includes
 * this time. The monotonic clock of Linux (`CLOCK_MONOTONIC`) stands still during sleep, and the boot clock moves on. Reading the
 * boot clock takes a hundred times as long as reading the monotonic clock. The boot clock is therefore read only when the wall
 * clock has gained on the monotonic clock.
 */
export class SleepAwareClock implements ComparedClock {
  #sleptMs = 0;
  /** Ms by which the wall clock was ahead of the monotonic clock at the last read of the boot clock. */
  #wallAheadMs: number;
  /** Ms by which the boot clock was ahead of the monotonic clock at its last read, including the sleep counted so far. */
  #bootAheadMs: number;
  /** The wall clock at the last call of `monotonic()`, and the result of this call. */
  #lastWall = NaN;
  #lastMono = NaN;

  constructor(private readonly clock: Clock) {
    const mono = clock.monotonic();
    this.#wallAheadMs = clock.now() - mono;
    this.#bootAheadMs = this.#readUptime() - mono;
  }

  now(): number {
    return this.clock.now();
  }

  /** Ms since an arbitrary start, including the time during which the machine slept. */
  monotonic(): number {
    const mono = this.clock.monotonic();
    const wall = this.clock.now();
    const wallGainMs = wall - mono - this.#wallAheadMs;
    if (wallGainMs > SMALLEST_STEP_MS || wallGainMs < -SMALLEST_STEP_MS) this.#countSleep(mono, wallGainMs);
    this.#lastWall = wall;
    return (this.#lastMono = mono + this.#sleptMs);
  }

  get wallAheadMs(): number {
    return this.#lastWall - this.#lastMono;
  }

  setTimer(callback: () => void, delayMs: number): CancelTimer {
    return this.clock.setTimer(callback, delayMs);
  }

  #countSleep(mono: number, wallGainMs: number): void {
    this.#wallAheadMs += wallGainMs;
    const bootGainMs = this.#readUptime() - mono - this.#bootAheadMs;
    // Without a boot clock, `bootGainMs` is `NaN`.
    if (!(bootGainMs > COARSEST_UPTIME_MS)) return;
    this.#bootAheadMs += bootGainMs;
    // The boot clock may show up to a second less than the real sleep because of its resolution. The wall clock shows this part.
    this.#sleptMs += Math.max(bootGainMs, Math.min(wallGainMs, bootGainMs + COARSEST_UPTIME_MS));
  }

  #readUptime(): number {
    try {
      return this.clock.uptime?.() ?? NaN;
    } catch {
      // Some sandboxes forbid the call.
      return NaN;
    }
  }
}
