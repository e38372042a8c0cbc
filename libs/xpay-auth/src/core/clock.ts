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
