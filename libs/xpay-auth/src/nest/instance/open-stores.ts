import type { Store } from '../../core/store.js';

/** The number of instances that use a store, in all apps of this process. */
const users = new WeakMap<Store, number>();

/** Counts one more instance that uses a store. */
export function retainStore(store: Store): void {
  users.set(store, (users.get(store) ?? 0) + 1);
}

/** Counts one instance less, and closes the store if it was the last. */
export async function releaseStore(store: Store): Promise<void> {
  const left = (users.get(store) ?? 1) - 1;
  users.set(store, left);
  if (left === 0) await store.close();
}
