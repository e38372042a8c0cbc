import type { Clock } from '../core/clock.js';
import { XPayAuthError } from '../core/errors.js';

const waiting = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Calls `leave` when the signal aborts, or immediately if it has already aborted. All waits for one signal share one listener,
 * because Node warns of a leak if a signal has more than ten listeners. Returns a function that ends the wait.
 */
export function onAbort(signal: AbortSignal, leave: () => void): () => void {
  if (signal.aborted) {
    leave();
    return () => undefined;
  }
  const leavers = waiting.get(signal) ?? listenTo(signal);
  // Each wait has a separate function, because the same `leave` may be passed twice.
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

/** Returns a promise that settles like `promise`, or rejects with `signal.reason` when the signal aborts. */
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
  /** Maximum duration of the run in ms. */
  readonly ms: number;
  /** If this signal aborts, the run ends with `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
  /** Creates the error for a run that takes longer. @default `upstream_timeout` */
  readonly error?: (() => Error) | undefined;
  /** Called with a result that arrives after the deadline. */
  readonly late?: ((result: T) => void) | undefined;
}

/** Calls `run` with a deadline. The returned promise settles at the deadline, even if `run` ignores the signal that it receives. */
export function deadline<T>(options: DeadlineOptions<T>, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const { clock, ms, signal, error = () => unanswered(ms), late } = options;
  if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
  const endsAt = clock.monotonic() + ms;
  const controller = new AbortController();
  // One promise for the result, the deadline and the signal, because this function is called for every first-seen caller.
  return new Promise<T>((resolve, reject) => {
    const fail = (reason: unknown): void => {
      cancel();
      stay?.();
      reject(reason);
    };
    const end = (reason: unknown): void => {
      controller.abort(reason);
      fail(reason);
    };
    const succeed = (result: T): void => {
      // Timers stand still while the machine sleeps, so a result may arrive after the deadline although the timer has not fired.
      if (!controller.signal.aborted && clock.monotonic() <= endsAt) {
        cancel();
        stay?.();
        return resolve(result);
      }
      late?.(result);
      fail(error());
    };
    const stay = signal && onAbort(signal, () => end(signal.reason));
    const cancel = clock.setTimer(() => end(error()), ms);
    try {
      run(controller.signal).then(succeed, fail);
    } catch (thrown) {
      fail(thrown);
    }
  });
}

/** Returns the error for an upstream that does not answer within `ms`. */
export function unanswered(ms: number): XPayAuthError {
  return new XPayAuthError('upstream_timeout', `The upstream did not answer within ${ms} ms`);
}

/**
 * Calls `leave` when a caller no longer waits, or immediately if the caller has stopped waiting before. Returns a function that
 * removes `leave`.
 */
export type OnLeave = (leave: () => void) => () => void;

const SETTLED = Promise.resolve();

/** The callers of one run. */
export interface Callers {
  /**
   * Calls `leave` when no caller waits any more, or immediately if no caller waits. The run must then reject, because the next
   * caller starts another run. Returns a function that removes `leave`.
   */
  readonly onDeserted: OnLeave;
}

interface Flight<T> {
  readonly result: Promise<T>;
  callers: number;
  /** The function to call when no caller waits any more. `undefined` while none is registered. */
  leave?: (() => void) | undefined;
}

/**
 * Allows one run per key at a time. Concurrent callers share the result or the failure of the run. The result is not kept after
 * the run has settled.
 */
export class SingleFlight<T> {
  readonly #flights = new Map<string, Flight<T>>();

  /**
   * @param joined called for each caller who joins a run in progress
   * @param changed called when a run has started, and when it has ended
   */
  constructor(
    private readonly joined?: () => void,
    private readonly changed?: () => void,
  ) {}

  /**
   * Joins the run of this key, or starts one.
   *
   * @param onLeave reports that this caller no longer waits. Without `onLeave`, the caller waits until the run settles
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
    const run = async (): Promise<T> => {
      // The run begins after its flight and its first caller are known.
      await SETTLED;
      try {
        return await fly({ onDeserted });
      } finally {
        this.#end(key, flight);
      }
    };
    const flight: Flight<T> = { result: run(), callers: 0 };
    this.#flights.set(key, flight);
    this.changed?.();
    return flight;
  }

  #leaveIfDeserted(key: string, flight: Flight<T>): void {
    if (flight.callers > 0 || flight.leave === undefined) return;
    // The run is removed before it rejects, so that no further caller joins it.
    this.#end(key, flight);
    flight.leave();
  }

  #end(key: string, flight: Flight<T>): void {
    if (this.#flights.get(key) !== flight) return;
    this.#flights.delete(key);
    this.changed?.();
  }
}

/**
 * Returns a function that waits until this process has read all bytes and connection ends that its sockets had received at the
 * time of the call. Without the wait, a request on an idle connection could read bytes that arrived earlier as its own answer,
 * because answers of HTTP/1.1 have no number. Concurrent calls share the wait.
 */
export function createDrain(): () => Promise<void> {
  let shared: Promise<void> | undefined;
  const twoTurns = async (): Promise<void> => {
    await nextTurn();
    // A later call starts another wait, because the second turn of this wait reads only bytes that have arrived before now.
    shared = undefined;
    // The call may come in the middle of a turn of the event loop. Only the second turn is certain to read from the kernel after
    // the call.
    await nextTurn();
  };
  return () => (shared ??= twoTurns());
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
