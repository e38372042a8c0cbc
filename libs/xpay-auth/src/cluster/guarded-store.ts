import { deadline } from '../async/promises.js';
import type { Clock } from '../core/clock.js';
import { XPayAuthError, fromForeignError } from '../core/errors.js';
import { type Instrumentation, STORE_METHODS, type StoreMethod } from '../core/instrumentation.js';
import type { Held, Lease, Store, StoreNotice } from '../core/store.js';

/** Ms after which a call of a store without a deadline of its own has failed. */
const DEADLINE_MS = 3_000;
/** Ms without a call after one that was not answered. */
const COOLDOWN_MS = 1_000;

/**
 * Returns a store that keeps the contract of {@link Store} when the one behind it does not: every call settles in time, and
 * rejects with `store_unavailable` alone. A call without an answer costs one deadline; after that one call at a time tries again.
 * Every failed call is reported to the observer.
 */
export function guardedStore(store: Store, clock: Clock, instrumentation: Instrumentation): Store {
  const guard = new StoreGuard(store, clock);
  const methods = Object.entries(STORE_METHODS).map(([key, operation]) => {
    const name = key as StoreMethod;
    const call = (...args: unknown[]): unknown => (store[name] as Method).apply(store, args);
    const guarded = async (...args: unknown[]): Promise<unknown> => {
      try {
        return withSafeRelease(await guard.run(name, async () => call(...args), giveBack));
      } catch (thrown) {
        if (operation !== undefined) instrumentation.record({ type: 'store failed', operation });
        throw thrown;
      }
    };
    return [name, operation === undefined ? call : guarded];
  });
  return {
    ...(Object.fromEntries(methods) as Store),
    status: () => guard.status(),
    onNotice: (listener) => guard.onNotice(listener),
  };
}

type Method = (...args: unknown[]) => unknown;

class StoreGuard {
  /** Why the last call was not answered. */
  #reason: string | undefined;
  #isTrying = false;
  #retryAt = 0;
  readonly #warned = new Set<string>();
  readonly #listeners = new Set<(notice: StoreNotice) => void>();

  constructor(
    private readonly store: Store,
    private readonly clock: Clock,
  ) {}

  async run<T>(method: keyof Store, call: () => Promise<T>, late?: (result: T) => void): Promise<T> {
    if (this.#reason === undefined) return this.#call(method, call, late);
    if (this.#isTrying || this.clock.monotonic() < this.#retryAt) throw unavailable(this.#reason);
    this.#isTrying = true;
    try {
      return await this.#call(method, call, late);
    } finally {
      this.#isTrying = false;
    }
  }

  status(): ReturnType<Store['status']> {
    const status = this.store.status();
    return this.#reason === undefined || status.state !== 'ready'
      ? status
      : { ...status, state: 'away', reason: this.#reason };
  }

  onNotice(listener: (notice: StoreNotice) => void): () => void {
    this.#listeners.add(listener);
    const unlisten = this.store.onNotice(listener);
    return () => {
      this.#listeners.delete(listener);
      unlisten();
    };
  }

  async #call<T>(method: keyof Store, call: () => Promise<T>, late?: (result: T) => void): Promise<T> {
    let isLate = false;
    const error = (): Error => {
      isLate = true;
      return new Error();
    };
    try {
      const ownDeadline = this.store.deadlineMs !== undefined;
      const result = await (ownDeadline ? call() : deadline({ clock: this.clock, ms: DEADLINE_MS, error, late }, call));
      this.#answered();
      return result;
    } catch (thrown) {
      if (isLate) throw this.#unanswered();
      this.#answered();
      if (thrown instanceof XPayAuthError && thrown.code === 'store_unavailable') throw thrown;
      const failure = fromForeignError(thrown, 'store_unavailable', `The shared store failed in ${method}()`);
      this.#warn(`${failure.message}; this instance goes on without it. A store rejects with store_unavailable alone.`);
      throw failure;
    }
  }

  #answered(): void {
    if (this.#reason === undefined) return;
    this.#reason = undefined;
    this.#notify({ type: 'back' });
  }

  #unanswered(): XPayAuthError {
    const reason = `no answer within ${DEADLINE_MS} ms`;
    if (this.#reason === undefined) this.#notify({ type: 'away', reason });
    this.#reason = reason;
    this.#retryAt = this.clock.monotonic() + COOLDOWN_MS;
    return unavailable(reason);
  }

  #warn(message: string): void {
    if (!this.#warned.has(message)) this.#notify({ type: 'warning', message });
    this.#warned.add(message);
  }

  #notify(notice: StoreNotice): void {
    this.#listeners.forEach((listener) => listener(notice));
  }
}

/** A lease that arrives too late is not used. */
function giveBack(result: unknown): void {
  if (isLease(result)) void withSafeRelease(result).release();
}

/** Returns the result of a call. The release of a lease never rejects. */
function withSafeRelease<T>(result: T): T {
  if (!isLease(result)) return result;
  const release = async (): Promise<void> => {
    try {
      await result.release();
    } catch {
      // The lease expires without a call.
    }
  };
  return { ...result, release };
}

function isLease(result: unknown): result is Lease {
  return (result as Partial<Lease | Held> | undefined)?.kind === 'acquired';
}

function unavailable(reason: string): XPayAuthError {
  return new XPayAuthError('store_unavailable', `The shared store is unavailable: ${reason}`, { retryAfterMs: 1_000 });
}
