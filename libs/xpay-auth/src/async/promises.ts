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

/** Calls `leave` once a caller has left, at once if it has. Returns a function that ends the wait. */
export type OnLeave = (leave: () => void) => () => void;

/** The callers of one run. */
export interface Callers {
  /**
   * Calls `leave` once all callers have left, at once if they have. The run must then reject: the next caller starts another.
   * Returns a function that ends the wait.
   */
  readonly onDeserted: OnLeave;
}

interface Flight<T> {
  readonly result: Promise<T>;
  callers: number;
  /** Set while the run can be left. */
  leave?: (() => void) | undefined;
}

/** Allows one run per key at a time: concurrent callers share its result or failure. A settled result is not kept. */
export class SingleFlight<T> {
  readonly #flights = new Map<string, Flight<T>>();

  /** @param joined called for each caller who joins a run in progress */
  constructor(private readonly joined?: () => void) {}

  /**
   * Joins the run of this key, or starts one.
   *
   * @param onLeave reports that this caller has left. Without it the caller stays
   */
  run(key: string, fly: (callers: Callers) => Promise<T>, onLeave?: OnLeave): Promise<T> {
    const underWay = this.#flights.get(key);
    if (underWay !== undefined) this.joined?.();
    const flight = underWay ?? this.#start(key, fly);
    flight.callers++;
    const stay = onLeave?.(() => {
      flight.callers--;
      this.#leaveIfDeserted(key, flight);
    });
    if (stay !== undefined) void flight.result.then(stay, stay);
    return flight.result;
  }

  /** Whether a run of this key is in progress. */
  has(key: string): boolean {
    return this.#flights.has(key);
  }

  #start(key: string, fly: (callers: Callers) => Promise<T>): Flight<T> {
    const onDeserted: OnLeave = (leave) => {
      flight.leave = leave;
      this.#leaveIfDeserted(key, flight);
      return () => {
        flight.leave = undefined;
      };
    };
    const result = Promise.resolve()
      .then(() => fly({ onDeserted }))
      .finally(() => this.#end(key, flight));
    const flight: Flight<T> = { result, callers: 0 };
    this.#flights.set(key, flight);
    return flight;
  }

  #leaveIfDeserted(key: string, flight: Flight<T>): void {
    if (flight.callers > 0 || flight.leave === undefined) return;
    // Before it rejects, so that no one joins it.
    this.#end(key, flight);
    flight.leave();
  }

  #end(key: string, flight: Flight<T>): void {
    if (this.#flights.get(key) === flight) this.#flights.delete(key);
  }
}

/**
 * Returns a function that resolves after everything has been read that the sockets of this process had received when it was
 * called, the end of a connection included. HTTP/1.1 has no number for an answer, so a request would take the bytes that its idle
 * connection received before for its own answer. Concurrent calls share the wait.
 */
export function createDrain(): () => Promise<void> {
  let shared: Promise<void> | undefined;
  const twoTurns = async (): Promise<void> => {
    await nextTurn();
    // A later call starts another wait, because the second turn surely reads only the bytes that arrived until now.
    shared = undefined;
    // A caller may have been in the middle of a turn of the event loop, so only the second turn surely reads from the kernel.
    await nextTurn();
  };
  return () => (shared ??= twoTurns());
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
