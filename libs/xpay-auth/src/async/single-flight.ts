import type { Clock } from '../core/clock.js';
import { XPayAuthError } from '../core/errors.js';
import { onAbort } from './abort.js';

/**
 * At most one run per key at a time; everybody who asks meanwhile shares its outcome, success or failure. Nothing is
 * remembered once it has settled, least of all a failure.
 */
export class SingleFlight<T> {
  readonly #flights = new Map<string, Promise<T>>();

  /** @param joined hears of everybody who joins a flight that is under way */
  constructor(private readonly joined?: () => void) {}

  /** Joins the flight of this key, or starts one. */
  run(key: string, fly: () => Promise<T>): Promise<T> {
    const underWay = this.#flights.get(key);
    if (underWay !== undefined) {
      this.joined?.();
      return underWay;
    }
    const flight = Promise.resolve()
      .then(fly)
      .finally(() => this.#flights.delete(key));
    this.#flights.set(key, flight);
    return flight;
  }

  /** Whether a flight of this key is under way. */
  has(key: string): boolean {
    return this.#flights.has(key);
  }
}

/** The promise, for one of its waiters: rejects with `signal.reason` when that waiter leaves. The flight goes on. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise<T>((resolve, reject) => {
    const stay = onAbort(signal, () => reject(signal.reason as Error));
    void promise.then(resolve, reject).finally(stay);
  });
}

/** How long a run may take, and what else may end it. */
export interface Limits {
  readonly clock: Clock;
  readonly deadlineMs: number;
  /** Ends the run from outside, with `signal.reason`. */
  readonly stop: AbortSignal;
  /** What the deadline ends it with. @default `upstream_timeout` */
  readonly tooLate?: () => XPayAuthError;
}

/** Runs with a deadline of its own. Settles by then even if `run` does not heed the signal it is given. */
export async function withinDeadline<T>(limits: Limits, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const { clock, deadlineMs, stop, tooLate = () => unanswered(deadlineMs) } = limits;
  stop.throwIfAborted();
  const endsAt = clock.monotonic() + deadlineMs;
  const controller = new AbortController();
  const forget = onAbort(stop, () => controller.abort(stop.reason));
  const cancel = clock.setTimer(() => controller.abort(tooLate()), deadlineMs);
  try {
    const outcome = await abortable(run(controller.signal), controller.signal);
    // Timers stand still while the machine sleeps: what was under way meanwhile may be long out of date.
    if (clock.monotonic() > endsAt) throw tooLate();
    return outcome;
  } finally {
    cancel();
    forget();
  }
}

/** The upstream took longer than a whole run may. */
export function unanswered(deadlineMs: number): XPayAuthError {
  return new XPayAuthError('upstream_timeout', `The upstream did not answer within ${deadlineMs} ms`);
}
