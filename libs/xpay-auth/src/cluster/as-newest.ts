import type { Clock } from '../core/clock.js';
import { XPayAuthError } from '../core/errors.js';
import type { EntryName, Store } from '../core/store.js';

/** A step takes one round trip. If the holder of the lease dies, the others wait for so long. */
const LEASE_MS = 2_000;
/** Interval at which a held lease is requested again. */
const RETRY_MS = 10;
/** After this time the store is treated as unavailable: a holder keeps the lease for at most {@link LEASE_MS}. */
const DEADLINE_MS = 10_000;

/**
 * Takes a step with a generation greater than that of every lease and entry of this name before it, while no other instance
 * takes one. Repeats it with a new generation as long as the step returns `false`. Returns the generation of the last one.
 * Throws `store_unavailable`, and what the step throws.
 */
export async function asNewest(
  { store, clock }: { readonly store: Store; readonly clock: Clock },
  name: EntryName,
  step: (generation: number) => Promise<boolean>,
): Promise<number> {
  const deadline = clock.monotonic() + DEADLINE_MS;
  do {
    const lease = await store.acquire(name, LEASE_MS);
    if (lease.kind === 'held') {
      await new Promise<void>((resolve) => void clock.setTimer(resolve, RETRY_MS));
    } else if (await step(lease.generation).finally(() => void lease.release())) {
      return lease.generation;
    }
  } while (clock.monotonic() < deadline);
  throw new XPayAuthError('store_unavailable', 'Other instances hold the lease of this session for too long', {
    retryAfterMs: LEASE_MS,
  });
}
