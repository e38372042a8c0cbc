import type { Clock } from '../core/clock.js';
import { XPayAuthError } from '../core/errors.js';

const waiting = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Calls `leave` when the signal aborts, at once if it has. Any number of waits share one listener per signal: Node warns of
 * a leak beyond ten. Returns a function that ends the wait.
 */
export function onAbort(signal: AbortSignal, leave: () => void): () => void {
  if (signal.aborted) {
    leave();
    return () => undefined;
  }
  const leavers = waiting.get(signal) ?? listenTo(signal);
  // A function of its own for each wait: the same `leave` may wait twice.
  const once = (): void => leave();
  leavers.add(once);
  return () => {
    leavers.delete(once);
  };
}

function listenTo(signal: AbortSignal): Set<() => void> {
  const leavers = new Set<() => void>();
  waiting.set(signal, leavers);
  const leaveAll = (): void => {
    for (const leave of leavers) leave();
    leavers.clear();
  };
  signal.addEventListener('abort', leaveAll, { once: true });
  return leavers;
}

/** Returns the promise for one of its waiters: rejects with `signal.reason` when that waiter aborts. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise<T>((resolve, reject) => {
    const stay = onAbort(signal, () => reject(signal.reason as Error));
    void promise.then(resolve, reject).finally(stay);
  });
}

/** Conditions that end a run early. */
export interface DeadlineOptions<T> {
  readonly clock: Clock;
  /** Ms that the run may take. */
  readonly ms: number;
  /** Ends the run from outside, with `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
  /** Creates the error for a run that takes longer. @default `upstream_timeout` */
  readonly error?: (() => Error) | undefined;
  /** Receives a result that arrives too late. */
  readonly late?: ((result: T) => void) | undefined;
}

/** Runs with a deadline. Settles by then even if `run` ignores the signal that it is given. */
export async function deadline<T>(options: DeadlineOptions<T>, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const { clock, ms, signal, error = () => unanswered(ms), late } = options;
  signal?.throwIfAborted();
  const endsAt = clock.monotonic() + ms;
  const controller = new AbortController();
  const stay = signal && onAbort(signal, () => controller.abort(signal.reason));
  const cancel = clock.setTimer(() => controller.abort(error()), ms);
  const inTime = async (): Promise<T> => {
    const result = await run(controller.signal);
    // Timers stand still while the machine sleeps: a result may be long out of date when it arrives.
    if (!controller.signal.aborted && clock.monotonic() <= endsAt) return result;
    late?.(result);
    throw error();
  };
  try {
    return await abortable(inTime(), controller.signal);
  } finally {
    cancel();
    stay?.();
  }
}

/** The error for an upstream that does not answer within `ms`. */
export function unanswered(ms: number): XPayAuthError {
  return new XPayAuthError('upstream_timeout', `The upstream did not answer within ${ms} ms`);
}

/** Allows one run per key at a time: concurrent callers share its result or failure. A settled result is not kept. */
export class SingleFlight<T> {
  readonly #flights = new Map<string, Promise<T>>();

  /** @param joined called for each caller who joins a run in progress */
  constructor(private readonly joined?: () => void) {}

  /** Joins the run of this key, or starts one. */
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

  /** Whether a run of this key is in progress. */
  has(key: string): boolean {
    return this.#flights.has(key);
  }
}
