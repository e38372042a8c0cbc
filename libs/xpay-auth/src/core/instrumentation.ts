import { XPayAuthError, type XPayAuthErrorCode } from './errors.js';
import type { Purpose } from './ports.js';

/** Something this library does that takes time: an onlooker may watch it. Holds no secret and no user name. */
export type Operation =
  /** Finds out who presents credentials that memory does not know. */
  | { readonly type: 'verify'; readonly scheme: string }
  /** Begins a session: `XPaySessionService.login`. */
  | { readonly type: 'login' }
  /** Reads a session from the shared store. */
  | { readonly type: 'read session' }
  /** Obtains or renews the app's own token. */
  | { readonly type: 'renew token' }
  /** Calls the upstream's API, with whatever renewal and repetition that takes. */
  | { readonly type: 'call api' }
  /** One question to the upstream, its answer understood. */
  | { readonly type: 'ask upstream'; readonly operation: UpstreamOperation; readonly purpose: Purpose | 'api call' }
  /** One HTTP request. `template`: its path, as far as it may be shown. */
  | { readonly type: 'exchange'; readonly method: string; readonly url: string; readonly template: string | undefined };

/** What a dialect is asked to do. */
export type UpstreamOperation = 'authenticate' | 'refresh' | 'api';

/** How an act ended. `aborted`: who asked for it has left. */
export type Outcome = 'ok' | 'token_rejected' | 'aborted' | XPayAuthErrorCode;

/** How an act that was watched went. */
export interface SpanEnd {
  readonly outcome: Outcome;
  /** Of an exchange: the HTTP status of the answer. */
  readonly status?: number;
}

/** Something that happens in no time. */
export type InstrumentationEvent =
  /** A request that got no further than its own words: none, unreadable ones, or a bearer that nobody knows. */
  | { readonly type: 'refused'; readonly code: XPayAuthErrorCode }
  /** An answer that is neither from this process's fresh memory nor from the upstream. */
  | { readonly type: 'recalled'; readonly what: 'credentials' | 'session'; readonly level: 'shared' | 'stale' }
  /** Somebody joined who was asking already. */
  | { readonly type: 'joined'; readonly flight: 'token' | 'verification' | 'session' }
  /** The shared store could not do it, whoever goes on without. */
  | { readonly type: 'store failed'; readonly operation: StoreOperation };

/** The calls of a store that may fail. */
export const STORE_OPERATIONS = [
  'read',
  'write',
  'discard',
  'acquire',
  'count',
  'uncount',
  'append',
  'read_log',
  'renew_epoch',
  'publish',
] as const;
export type StoreOperation = (typeof STORE_OPERATIONS)[number];

/** Sees what one instance does. What it throws is its own trouble. */
export interface Observer {
  start(act: Operation): Span;
  record(fact: InstrumentationEvent): void;
}

/** An act that is being watched. */
export interface Span {
  /** Runs the act where whatever it sets off is seen as a part of it. */
  run<T>(run: () => T): T;
  end(ending: SpanEnd): void;
}

/** How one act is judged. */
export interface SpanOptions<T> {
  /** What a result means. @default `ok` */
  readonly judge?: (result: T) => SpanEnd;
  /** Ends the act from outside; then its reason is the outcome, not what the act made of it. */
  readonly signal?: AbortSignal | undefined;
}

/** Where the onlooker of one instance stands, if there is one. Without one nothing is spent on it. */
export class Instrumentation {
  #onlooker: Observer | undefined;

  /** Throws `configuration` for a second one: it would count everything twice. Returns what sends it away. */
  attach(onlooker: Observer): () => void {
    if (this.#onlooker !== undefined) {
      throw new XPayAuthError('configuration', 'XPayTelemetryModule is imported twice. Import it once.');
    }
    this.#onlooker = onlooker;
    return () => {
      this.#onlooker = undefined;
    };
  }

  /** Tells the onlooker, if there is one. */
  record(fact: InstrumentationEvent): void {
    const onlooker = this.#onlooker;
    if (onlooker !== undefined) swallowErrors(() => onlooker.record(fact));
  }

  /** Runs the act, watched if anybody watches. */
  observe<T>(act: Operation, run: () => Promise<T>, options: SpanOptions<T> = {}): Promise<T> {
    const onlooker = this.#onlooker;
    const sight = onlooker && swallowErrors(() => onlooker.start(act));
    return sight === undefined ? run() : runInSpan(sight, run, options);
  }
}

async function runInSpan<T>(sight: Span, run: () => Promise<T>, { judge, signal }: SpanOptions<T>): Promise<T> {
  try {
    const result = await sight.run(run);
    swallowErrors(() => sight.end(judge?.(result) ?? { outcome: 'ok' }));
    return result;
  } catch (thrown) {
    const reason: unknown = signal?.aborted === true ? signal.reason : thrown;
    swallowErrors(() =>
      sight.end({ outcome: reason instanceof XPayAuthError ? reason.code : outcomeOfForeignError(signal) }),
    );
    throw thrown;
  }
}

/** A stranger's error is the act's own trouble (`upstream_malformed`, as the flows have it) unless somebody has left. */
function outcomeOfForeignError(signal: AbortSignal | undefined): Outcome {
  return signal?.aborted === true ? 'aborted' : 'upstream_malformed';
}

/** Whatever goes wrong with looking on is not the trouble of who is looked at. */
function swallowErrors<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}
