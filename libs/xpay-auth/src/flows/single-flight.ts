import type { Clock } from '../core/clock.js';
import { XPayAuthError } from '../core/errors.js';

/**
 * At most one run per key at a time; everybody who asks meanwhile shares its outcome, success or failure. Nothing is
 * remembered once it has settled, least of all a failure.
 */
export class SingleFlight<T> {
  readonly #flights = new Map<string, Promise<T>>();

  /** Joins the flight of this key, or starts one. */
  run(key: string, fly: () => Promise<T>): Promise<T> {
    const underWay = this.#flights.get(key);
    if (underWay !== undefined) return underWay;
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
    const leave = (): void => reject(signal.reason as Error);
    if (signal.aborted) leave();
    signal.addEventListener('abort', leave, { once: true });
    const settled = (): void => signal.removeEventListener('abort', leave);
    void promise.then(resolve, reject).finally(settled);
  });
}

/** How long a run may take, and what else may end it. */
export interface Limits {
  readonly clock: Clock;
  readonly deadlineMs: number;
  /** Ends the run from outside, with `signal.reason`. */
  readonly stop: AbortSignal;
}

/** Runs with a deadline of its own. Settles by then even if `run` does not heed the signal it is given. */
export async function withinDeadline<T>(limits: Limits, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const { clock, deadlineMs, stop } = limits;
  stop.throwIfAborted();
  const controller = new AbortController();
  const end = (): void => controller.abort(stop.reason);
  stop.addEventListener('abort', end, { once: true });
  const cancel = clock.setTimer(() => {
    controller.abort(new XPayAuthError('upstream_timeout', `The upstream did not answer within ${deadlineMs} ms`));
  }, deadlineMs);
  try {
    return await abortable(run(controller.signal), controller.signal);
  } finally {
    cancel();
    stop.removeEventListener('abort', end);
  }
}
