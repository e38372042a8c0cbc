import { uptime } from 'node:os';

/** Stops a timer that has not fired yet; calling it later, or twice, does nothing. */
export type CancelTimer = () => void;

/**
 * Where this library reads the time. One port, so that a test can move time by hand (`ManualClock` in
 * `nestjs-xpay-auth/testing`) and nothing else in the library ever calls `Date.now()`.
 */
export interface Clock {
  /** Wall-clock time in ms since the epoch. May jump in either direction. */
  now(): number;
  /** Ms since an arbitrary start. Never goes back, does not follow wall-clock steps. May stand still while the machine sleeps. */
  monotonic(): number;
  /**
   * Ms since the machine booted, time asleep included, in steps of at most 1 s (`CLOCK_BOOTTIME` in clock_gettime(2)).
   * Without it a sleep looks like a step of the wall clock.
   */
  uptime?(): number;
  /**
   * Calls `callback` once, `delayMs` from now, any length. The timer must not keep the process alive.
   */
  setTimer(callback: () => void, delayMs: number): CancelTimer;
}

/** One reading of both clocks. */
export interface Instant {
  /** Ms since the epoch. */
  readonly wall: number;
  /** Ms on the monotonic clock. */
  readonly mono: number;
}

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

/** Reads both clocks once. */
export function readInstant(clock: Clock): Instant {
  return { wall: clock.now(), mono: clock.monotonic() };
}
