import type { Store } from '../../core/store.js';

/** How many instances use a store, in all apps of this process. */
const users = new WeakMap<Store, number>();

/** An instance begins to use a store. */
export function retainStore(store: Store): Store {
  users.set(store, (users.get(store) ?? 0) + 1);
  return store;
}

/** An instance is done with a store: the last one closes it. */
export async function releaseStore(store: Store): Promise<void> {
  const left = (users.get(store) ?? 1) - 1;
  users.set(store, left);
  if (left === 0) await store.close();
}
