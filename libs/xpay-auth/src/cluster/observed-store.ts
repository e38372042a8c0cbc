import { type Instrumentation, STORE_OPERATIONS, type StoreOperation } from '../core/instrumentation.js';
import type { Store } from '../core/store.js';

/** By the name of the method of a store. */
const OPERATIONS = new Map<PropertyKey, StoreOperation>(
  STORE_OPERATIONS.map((operation) => [operation.replace(/_./, (text) => text.slice(1).toUpperCase()), operation]),
);

/** The same store; failures of its operations are reported to observers. */
export function observedStore(store: Store, instrumentation: Instrumentation): Store {
  return new Proxy(store, {
    get(target, name) {
      const method: unknown = Reflect.get(target, name);
      if (typeof method !== 'function') return method;
      const operation = OPERATIONS.get(name);
      if (operation === undefined) return method.bind(target) as unknown;
      return (...args: unknown[]) =>
        (Reflect.apply(method, target, args) as Promise<unknown>).catch((thrown: unknown) => {
          instrumentation.record({ type: 'store failed', operation });
          throw thrown;
        });
    },
  });
}
