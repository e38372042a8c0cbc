import { XPayAuthError, type XPayAuthErrorCode } from './errors.js';
import type { Purpose } from './ports.js';

/** Something this library does that takes time: an onlooker may watch it. Holds no secret and no user name. */
export type Act =
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
  | { readonly type: 'ask upstream'; readonly operation: Operation; readonly purpose: Purpose | 'api call' }
  /** One HTTP request. `template`: its path, as far as it may be shown. */
  | { readonly type: 'exchange'; readonly method: string; readonly url: string; readonly template: string | undefined };

/** What a dialect is asked to do. */
export type Operation = 'authenticate' | 'refresh' | 'api';

/** How an act ended. `aborted`: who asked for it has left. */
export type Outcome = 'ok' | 'token_rejected' | 'aborted' | XPayAuthErrorCode;

/** How an act that was watched went. */
export interface Ending {
  readonly outcome: Outcome;
  /** Of an exchange: the HTTP status of the answer. */
  readonly status?: number;
}

/** Something that happens in no time. */
export type Fact =
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
export interface Onlooker {
  begin(act: Act): Sight;
  note(fact: Fact): void;
}

/** An act that is being watched. */
export interface Sight {
  /** Runs the act where whatever it sets off is seen as a part of it. */
  within<T>(run: () => T): T;
  end(ending: Ending): void;
}

/** How one act is judged. */
export interface WatchOptions<T> {
  /** What a result means. @default `ok` */
  readonly judge?: (result: T) => Ending;
  /** Ends the act from outside; then its reason is the outcome, not what the act made of it. */
  readonly signal?: AbortSignal | undefined;
}

/** Where the onlooker of one instance stands, if there is one. Without one nothing is spent on it. */
export class Watch {
  #onlooker: Onlooker | undefined;

  /** Throws `configuration` for a second one: it would count everything twice. Returns what sends it away. */
  attach(onlooker: Onlooker): () => void {
    if (this.#onlooker !== undefined) {
      throw new XPayAuthError('configuration', 'XPayTelemetryModule is imported twice. Import it once.');
    }
    this.#onlooker = onlooker;
    return () => {
      this.#onlooker = undefined;
    };
  }

  /** Tells the onlooker, if there is one. */
  note(fact: Fact): void {
    const onlooker = this.#onlooker;
    if (onlooker !== undefined) spared(() => onlooker.note(fact));
  }

  /** Runs the act, watched if anybody watches. */
  over<T>(act: Act, run: () => Promise<T>, options: WatchOptions<T> = {}): Promise<T> {
    const onlooker = this.#onlooker;
    const sight = onlooker && spared(() => onlooker.begin(act));
    return sight === undefined ? run() : watched(sight, run, options);
  }
}

async function watched<T>(sight: Sight, run: () => Promise<T>, { judge, signal }: WatchOptions<T>): Promise<T> {
  try {
    const result = await sight.within(run);
    spared(() => sight.end(judge?.(result) ?? { outcome: 'ok' }));
    return result;
  } catch (thrown) {
    const reason: unknown = signal?.aborted === true ? signal.reason : thrown;
    spared(() => sight.end({ outcome: reason instanceof XPayAuthError ? reason.code : strange(signal) }));
    throw thrown;
  }
}

/** A stranger's error is the act's own trouble (`upstream_malformed`, as the flows have it) unless somebody has left. */
function strange(signal: AbortSignal | undefined): Outcome {
  return signal?.aborted === true ? 'aborted' : 'upstream_malformed';
}

/** Whatever goes wrong with looking on is not the trouble of who is looked at. */
function spared<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}
