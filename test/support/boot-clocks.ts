import { ManualClock } from 'nestjs-xpay-auth/testing';

/** A machine whose boot clock counts sleep in steps of `resolutionMs`: 10 on Linux, 1,000 on macOS. */
export class SteppedBootClock extends ManualClock {
  constructor(
    private readonly resolutionMs: number,
    startAt?: number,
  ) {
    super(startAt);
  }

  override uptime(): number {
    return Math.floor(super.uptime() / this.resolutionMs) * this.resolutionMs;
  }
}

/** A machine whose boot clock stands still while it sleeps, as the monotonic clock does. */
export class SleeplessBootClock extends ManualClock {
  override uptime(): number {
    return this.monotonic();
  }
}

/** Removes `uptime()` from a clock, because an app's own clock may not have it. */
export function withoutBootClock(clock: ManualClock): ManualClock {
  return Object.defineProperty(clock, 'uptime', { value: undefined });
}
