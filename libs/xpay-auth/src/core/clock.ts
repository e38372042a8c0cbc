/** Cancels a timer. Has no effect if the timer has already fired or been cancelled. */
export type CancelTimer = () => void;

/**
 * The source of time for the whole library, so that a test can move time by hand (`ManualClock` in
 * `nestjs-xpay-auth/testing`).
 */
export interface Clock {
  /** Wall-clock time in ms since the epoch. May jump in either direction. */
  now(): number;
  /**
   * Ms since an arbitrary start. Never decreases, and is not affected by steps of the wall clock. May not advance while the
   * machine sleeps.
   */
  monotonic(): number;
  /**
   * Ms since the machine booted, including the time for which it slept, in steps of at most 1 s (`CLOCK_BOOTTIME` in
   * clock_gettime(2)). Without `uptime`, a sleep cannot be distinguished from a step of the wall clock.
   */
  uptime?(): number;
  /**
   * Calls `callback` once after `delayMs`, which may be any length. The timer must not keep the process alive.
   */
  setTimer(callback: () => void, delayMs: number): CancelTimer;
}

/** A clock that also reports by how much its clocks differ, so that a caller needs no second reading. */
export interface ComparedClock extends Clock {
  /** Ms by which the wall clock was ahead of the monotonic clock at the last call of `monotonic()`. */
  readonly wallAheadMs?: number | undefined;
}

/** One reading of both clocks. */
export interface Instant {
  /** Ms since the epoch. */
  readonly wall: number;
  /** Ms on the monotonic clock. */
  readonly mono: number;
}

/** Ms by which the wall clock may gain on the monotonic clock without effect, because time servers often make small steps. */
export const SMALLEST_STEP_MS = 1_000;
