import type { CancelTimer, Clock } from './clock.js';

/** Ms by which the wall clock may run away from the monotonic one unnoticed: time servers make small steps all the time. */
export const SMALLEST_STEP_MS = 1_000;
/** The boot clock of some platforms has whole seconds: a gain up to this may be none. */
const COARSEST_UPTIME_MS = 1_000;

/**
 * A clock whose `monotonic()` also counts the time for which the machine was asleep, so that every age and every lifetime
 * includes it. The monotonic clock of Linux (`CLOCK_MONOTONIC`) stands still meanwhile, and the boot clock does not; it is
 * read only when the wall clock has run away from the monotonic one, because that takes a hundred times as long.
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
    // Of what the boot clock may have lost by its resolution, the wall clock tells.
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
