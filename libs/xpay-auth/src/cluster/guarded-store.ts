import { deadline } from '../async/promises.js';
import type { Clock } from '../core/clock.js';
import { isAbsent, isObject } from '../core/decoders.js';
import { XPayAuthError, fromForeignError, storeIsAway } from '../core/errors.js';
import { type Instrumentation, STORE_METHODS, type StoreMethod } from '../core/instrumentation.js';
import type { Held, Lease, Store, StoreNotice } from '../core/store.js';

/** Deadline of a call in ms, for a store that states no deadline itself. */
const DEADLINE_MS = 3_000;
/** Ms after an unanswered call during which the store is not called. */
const COOLDOWN_MS = 1_000;

/**
 * Returns a store that keeps the contract of {@link Store} even if the given store does not: every call settles before the
 * deadline, answers with the fields that the library reads, and rejects with no other error than `store_unavailable`. After a call without an answer, the store counts as
 * unavailable for 1 s. One call at a time then tries whether the store answers again. Every failed call is reported to the
 * observer.
 */
export function guardedStore(store: Store, clock: Clock, instrumentation: Instrumentation): Store {
  const guard = new StoreGuard(store, clock);
  const methods = Object.entries(STORE_METHODS).map(([key, operation]) => {
    const name = key as StoreMethod;
    const guarded = async (...args: unknown[]): Promise<unknown> => {
      try {
        const call = async (): Promise<unknown> => (store[name] as Method).apply(store, args);
        return withSafeRelease(await guard.run(name, call)) ?? undefined;
      } catch (thrown) {
        instrumentation.record({ type: 'store failed', operation });
        throw thrown;
      }
    };
    return [name, guarded];
  });
  return {
    ...(Object.fromEntries(methods) as Pick<Store, StoreMethod>),
    indexOf: (text) => store.indexOf(text),
    subscribe: (topic, listener) => store.subscribe(topic, listener),
    close: () => store.close(),
    status: () => guard.status(),
    onNotice: (listener) => guard.onNotice(listener),
  };
}

type Method = (...args: unknown[]) => unknown;

class StoreGuard {
  /** The reason why the last call was not answered. */
  #reason: string | undefined;
  #isTrying = false;
  #retryAt = 0;
  readonly #warned = new Set<string>();
  readonly #listeners = new Set<(notice: StoreNotice) => void>();

  constructor(
    private readonly store: Store,
    private readonly clock: Clock,
  ) {}

  async run<T>(method: StoreMethod, call: () => Promise<T>): Promise<T> {
    if (this.#reason === undefined) return this.#call(method, call);
    if (this.#isTrying || this.clock.monotonic() < this.#retryAt) throw storeIsAway(this.#reason);
    this.#isTrying = true;
    try {
      return await this.#call(method, call);
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

  async #call<T>(method: StoreMethod, call: () => Promise<T>): Promise<T> {
    let isLate = false;
    const error = (): Error => {
      isLate = true;
      return new Error();
    };
    try {
      const ownDeadline = this.store.deadlineMs !== undefined;
      const limits = { clock: this.clock, ms: DEADLINE_MS, error, late: giveBack };
      const result = await (ownDeadline ? call() : deadline(limits, call));
      if (!isAnswer(method, result)) throw new TypeError();
      this.#answered();
      return result;
    } catch (thrown) {
      if (isLate) throw this.#unanswered();
      this.#answered();
      if (thrown instanceof XPayAuthError && thrown.code === 'store_unavailable') throw thrown;
      const failure = fromForeignError(thrown, 'store_unavailable', `The shared store failed in ${method}()`);
      this.#warn(
        `${failure.message}; this instance continues without the store. A store may reject only with store_unavailable, and must answer as the interface Store states.`,
      );
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
    return storeIsAway(reason);
  }

  #warn(message: string): void {
    if (!this.#warned.has(message)) this.#notify({ type: 'warning', message });
    this.#warned.add(message);
  }

  #notify(notice: StoreNotice): void {
    this.#listeners.forEach((listener) => listener(notice));
  }
}

/** The fields of each answer that the library reads, with their types. */
const FIELDS: Partial<Record<StoreMethod, Readonly<Record<string, string>>>> = {
  read: { value: 'string', generation: 'number', remainingMs: 'number' },
  acquire: { kind: 'string' },
  count: { count: 'number', remainingMs: 'number', window: 'string' },
  append: { epoch: 'string', newest: 'number' },
  readLog: { epoch: 'string', newest: 'number', oldest: 'number', records: 'object' },
};

/** Whether an answer has the fields that the library reads. `null` counts as `undefined`: there is no entry. */
function isAnswer(method: StoreMethod, answer: unknown): boolean {
  if (isAbsent(answer)) return method === 'read' || FIELDS[method] === undefined;
  return Object.entries(FIELDS[method] ?? {}).every(
    ([name, type]) => isObject(answer) && answer[name] !== null && typeof answer[name] === type,
  );
}

/** Releases a lease that was acquired after the deadline of the call, because this instance does not use the lease. */
function giveBack(result: unknown): void {
  if (isLease(result)) void withSafeRelease(result).release();
}

/** Returns the result of a call. The release of a lease never rejects, because the lease expires without a call. */
function withSafeRelease<T>(result: T): T {
  if (!isLease(result)) return result;
  const release = async (): Promise<void> => result.release();
  return { ...result, release: () => release().catch(() => undefined) };
}

function isLease(result: unknown): result is Lease {
  return (result as Partial<Lease | Held> | null | undefined)?.kind === 'acquired';
}
