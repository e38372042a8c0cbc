import { setImmediate as nextTurn } from 'node:timers/promises';
import type { CancelTimer, Clock } from '../../core/clock.js';

interface PendingTimer {
  readonly dueAt: number;
  readonly callback: () => void;
}

/** Event-loop turns for promise callbacks and sockets between two timers. */
const SETTLE_TURNS = 5;
/** Limit for a timer that re-arms itself without delay. */
const MOST_FIRES_PER_ADVANCE = 100_000;

/**
 * A clock that stands still until a test moves it. Pass the same clock to the library and to an emulator.
 *
 * ```ts
 * const clock = new ManualClock();
 * clock.setTimer(() => refresh(), 5_000);
 * await clock.advance(5_000); // refresh() has been called, and its promise callbacks have run
 * ```
 */
export class ManualClock implements Clock {
  #wall: number;
  #monotonic = 1_000;
  #sleptMs = 0;
  #advancing = false;
  readonly #timers = new Set<PendingTimer>();

  /** @param startAt ms since the epoch. @default 2026-01-01T00:00:00Z */
  constructor(startAt: number = Date.UTC(2026, 0, 1)) {
    this.#wall = startAt;
  }

  /** Wall-clock time in ms since the epoch. */
  now(): number {
    return this.#wall;
  }

  /** Ms since an arbitrary start; follows `advance`, neither `sleep` nor `stepWall`. */
  monotonic(): number {
    return this.#monotonic;
  }

  /** Ms since the machine booted; follows `advance` and `sleep`, not `stepWall`. */
  uptime(): number {
    return this.#monotonic + this.#sleptMs;
  }

  /** Calls `callback` once, during the `advance` that reaches `delayMs` from now. */
  setTimer(callback: () => void, delayMs: number): CancelTimer {
    if (Number.isNaN(delayMs)) throw new RangeError('ManualClock.setTimer: the delay is not a number');
    const timer: PendingTimer = { dueAt: this.#monotonic + Math.max(0, delayMs), callback };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  /** The number of timers that have neither fired nor been cancelled. */
  get pendingTimers(): number {
    return this.#timers.size;
  }

  /**
   * Moves all clocks forward and fires the timers that fall due, in time order, each at its own time. Promise callbacks run
   * before the first timer, between timers and after the last one, so timers that a callback sets fire too. `advance(0)` runs
   * promise callbacks and fires the timers that are due now.
   *
   * @throws RangeError for a negative time; Error when two calls overlap; the error of a timer's callback.
   */
  async advance(ms: number): Promise<void> {
    if (!(ms >= 0)) throw new RangeError(`ManualClock.advance: ${ms} is not a time ahead; use stepWall to set it back`);
    if (this.#advancing) throw new Error('ManualClock.advance: the previous call has not finished; await it first');
    this.#advancing = true;
    const target = this.#monotonic + ms;
    try {
      await settle();
      let fires = 0;
      for (let timer = this.#firstDue(target); timer !== undefined; timer = this.#firstDue(target)) {
        if (++fires > MOST_FIRES_PER_ADVANCE) throw new Error('ManualClock.advance: a timer keeps re-arming itself');
        this.#timers.delete(timer);
        this.#moveTo(Math.max(this.#monotonic, timer.dueAt));
        timer.callback();
        await settle();
      }
      this.#moveTo(target);
      await settle();
    } finally {
      this.#advancing = false;
    }
  }

  /** Moves the wall clock alone, forward or back, as a time server or an administrator would. No timer fires. */
  stepWall(ms: number): void {
    this.#wall += ms;
  }

  /**
   * The machine sleeps for `ms`: the wall clock and `uptime()` move forward, `monotonic()` stands still, as on Linux. No timer
   * fires.
   *
   * @throws RangeError for a negative time.
   */
  sleep(ms: number): void {
    if (!(ms >= 0)) throw new RangeError(`ManualClock.sleep: ${ms} is not a time ahead; use stepWall to set it back`);
    this.#wall += ms;
    this.#sleptMs += ms;
  }

  /**
   * The first timer that is due at `target`. The set keeps timers in the order of their creation, so the older of equals is
   * first.
   */
  #firstDue(target: number): PendingTimer | undefined {
    let first: PendingTimer | undefined;
    for (const timer of this.#timers) {
      if (timer.dueAt <= target && timer.dueAt < (first?.dueAt ?? Infinity)) first = timer;
    }
    return first;
  }

  #moveTo(monotonic: number): void {
    this.#wall += monotonic - this.#monotonic;
    this.#monotonic = monotonic;
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < SETTLE_TURNS; turn++) await nextTurn();
}
