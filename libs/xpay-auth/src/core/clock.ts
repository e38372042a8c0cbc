/** Cancels a timer that has not fired yet. Calling it later, or twice, does nothing. */
export type CancelTimer = () => void;

/**
 * The source of time for the whole library, so that a test can move time by hand (`ManualClock` in
 * `nestjs-xpay-auth/testing`).
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

/** Reads both clocks once. */
export function readInstant(clock: Clock): Instant {
  return { wall: clock.now(), mono: clock.monotonic() };
}

/** Ms by which the wall clock may gain on the monotonic one without being noticed: time servers make small steps often. */
export const SMALLEST_STEP_MS = 1_000;
