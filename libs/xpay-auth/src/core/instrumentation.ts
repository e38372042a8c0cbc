import { HttpException } from '@nestjs/common';
import { XPayAuthError, type XPayAuthErrorCode, configurationError } from './errors.js';
import type { Purpose } from './ports.js';
import type { Store } from './store.js';

/** An operation of this library that takes time, for an observer. Contains no secret and no username. */
export type Operation =
  /** Verifies credentials that are not in the credential cache. */
  | { readonly type: 'verify'; readonly scheme: string }
  /** Starts a session: `XPaySessionService.login`. */
  | { readonly type: 'login' }
  /** Reads a session from the shared store. */
  | { readonly type: 'read session' }
  /** Obtains or renews the app token. */
  | { readonly type: 'renew token' }
  /** Calls the upstream's API, including a renewal of the token and a repeat of the call. */
  | { readonly type: 'call api' }
  /** Calls the upstream once, through the dialect. */
  | { readonly type: 'ask upstream'; readonly operation: UpstreamOperation; readonly purpose: Purpose | 'api call' }
  /** Sends one HTTP request. `template` is the path without ids, names or secrets; `undefined` if the dialect has none. */
  | { readonly type: 'exchange'; readonly method: string; readonly url: string; readonly template: string | undefined };

/** The operations of a dialect. */
export type UpstreamOperation = 'authenticate' | 'refresh' | 'api';

/** The result of an operation. `aborted`: the caller's signal aborted it. */
export type Outcome = 'ok' | 'token_rejected' | 'aborted' | XPayAuthErrorCode;

/** The end of an observed operation. */
export interface SpanEnd {
  readonly outcome: Outcome;
  /** The HTTP status of the response, for an exchange. */
  readonly status?: number;
}

/** An event without a duration. */
export type InstrumentationEvent =
  /** A request was rejected: it had no credentials, malformed ones, or an unknown bearer token. */
  | { readonly type: 'refused'; readonly code: XPayAuthErrorCode }
  /** Credentials or a session came from the shared store, or from a stale entry in the cache of this process. */
  | { readonly type: 'recalled'; readonly what: 'credentials' | 'session'; readonly level: 'shared' | 'stale' }
  /** A caller shares the pending call of another caller. */
  | { readonly type: 'joined'; readonly flight: 'token' | 'verification' | 'session' }
  /** An operation of the shared store failed. */
  | { readonly type: 'store failed'; readonly operation: StoreOperation };

/** A method that calls the store. */
export type StoreMethod = Exclude<
  keyof Store,
  'deadlineMs' | 'indexOf' | 'subscribe' | 'status' | 'onNotice' | 'close'
>;

/** The name in metrics of each method that calls the store. */
export const STORE_METHODS = {
  read: 'read',
  write: 'write',
  discard: 'discard',
  enlist: 'enlist',
  delist: 'delist',
  acquire: 'acquire',
  count: 'count',
  uncount: 'uncount',
  append: 'append',
  readLog: 'read_log',
  renewEpoch: 'renew_epoch',
  publish: 'publish',
} as const satisfies Record<StoreMethod, string>;

/** An operation of a store that may fail. */
export type StoreOperation = (typeof STORE_METHODS)[StoreMethod];
export const STORE_OPERATIONS = Object.values(STORE_METHODS);

/** Observes one instance. Errors that it throws are swallowed. */
export interface Observer {
  start(operation: Operation): Span;
  record(event: InstrumentationEvent): void;
}

/** An operation that is being observed. */
export interface Span {
  /** Runs the operation with this span as the active one. */
  run<T>(run: () => T): T;
  end(end: SpanEnd): void;
}

/** The facts that determine the outcome of an operation. */
export interface SpanOptions<T> {
  /** Returns the end of the span for a result. @default an end with the outcome `ok` */
  readonly judge?: (result: T) => SpanEnd;
  /** The signal that aborts the operation. If it is aborted, its reason determines the outcome. */
  readonly signal?: AbortSignal | undefined;
}

/** Connects one instance with its observer, if it has one. */
export class Instrumentation {
  #observer: Observer | undefined;

  /**
   * Attaches an observer. Returns a function that detaches the observer. Throws `configuration` if there is one already, because
   * everything would be counted twice.
   */
  attach(observer: Observer): () => void {
    if (this.#observer !== undefined) {
      throw configurationError('XPayTelemetryModule is imported twice. Import it once.');
    }
    this.#observer = observer;
    return () => (this.#observer = undefined);
  }

  /** Reports an event to the observer. */
  record(event: InstrumentationEvent): void {
    swallowErrors(() => this.#observer?.record(event));
  }

  /** Runs an operation, in a span of the observer if there is one. */
  observe<T>(operation: Operation, run: () => Promise<T>, options: SpanOptions<T> = {}): Promise<T> {
    const observer = this.#observer;
    const span = observer && swallowErrors(() => observer.start(operation));
    return span === undefined ? run() : runInSpan(span, run, options);
  }
}

async function runInSpan<T>(span: Span, run: () => Promise<T>, { judge, signal }: SpanOptions<T>): Promise<T> {
  try {
    const result = await span.run(run);
    swallowErrors(() => span.end(judge?.(result) ?? { outcome: 'ok' }));
    return result;
  } catch (thrown) {
    const outcome = signal?.aborted === true ? outcomeOf(signal.reason, 'aborted') : outcomeOf(thrown);
    swallowErrors(() => span.end({ outcome }));
    throw thrown;
  }
}

function outcomeOf(failure: unknown, otherwise: Outcome = 'upstream_malformed'): Outcome {
  if (failure instanceof XPayAuthError) return failure.code;
  // Only the option `accounts.credentials` throws an exception of the app.
  return failure instanceof HttpException ? 'unknown_account' : otherwise;
}

/** Swallows the errors of an observer, listener or logger, so that they do not reach the observed operation. */
export function swallowErrors<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch {
    return undefined;
  }
}
