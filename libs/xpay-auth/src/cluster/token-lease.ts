import { XPayAuthError } from '../core/errors.js';
import type { EntryName, Held, Lease, Store } from '../core/store.js';
import type { AttemptEnding, Obtained } from '../token/grant-source.js';
import { writePause } from './shared-backoff.js';
import { encodeToken } from './stored-token.js';

/** What somebody finds who wants a token: one that is there, the right to get one, or nobody to ask for that right. */
export type Taken<T> = { readonly kind: 'found'; readonly found: T } | Lease | Held | { readonly kind: 'alone' };

/** What a turn has written: `overtaken` when a newer token was there already. */
export type Written = 'token' | 'overtaken' | 'pause';

/** What `look` finds, else the right to bring it. Throws what `look` does, unless that is the store being away: `alone`. */
export async function findOrLease<T>(
  store: Store,
  name: EntryName,
  leaseMs: number,
  look: () => Promise<T | undefined>,
): Promise<Taken<T>> {
  try {
    const found = await look();
    if (found !== undefined) return { kind: 'found', found };
    const lease = await store.acquire(name, leaseMs);
    if (lease.kind === 'held') return lease;
    // Between looking and getting the right, who had it before may have brought what we are after.
    try {
      const late = await look();
      if (late === undefined) return lease;
      void lease.release();
      return { kind: 'found', found: late };
    } catch (thrown) {
      void lease.release();
      throw thrown;
    }
  } catch (thrown) {
    if (isUnavailable(thrown)) return { kind: 'alone' };
    throw thrown;
  }
}

/** The right to ask the upstream, until the token source says how it ended. */
export class SharedTurn {
  /** What the upstream answered, if it did. */
  token: Obtained | undefined;

  constructor(
    private readonly store: Store,
    /** Of the account. */
    readonly id: string,
    readonly lease: Lease,
  ) {}

  /**
   * Writes how it ended, lets `tell` say so to the others, and gives the right back only then. `refusals`: how often in a
   * row the account was refused. Throws `store_unavailable`, and what `tell` throws.
   */
  async end(ending: AttemptEnding, refusals: number, tell: (written: Written) => Promise<void>): Promise<void> {
    try {
      const written = await this.#write(ending, refusals);
      if (written !== undefined) await tell(written);
    } finally {
      await this.lease.release();
    }
  }

  async #write(ending: AttemptEnding, refusals: number): Promise<Written | undefined> {
    const { store, id, token } = this;
    const { generation } = this.lease;
    if (ending.kind === 'held' && token !== undefined) {
      const { lifeMs } = ending;
      const entry = { value: encodeToken(token, lifeMs), generation, lifeMs };
      // `false`: we were held up past our lease, and somebody has got a newer one meanwhile.
      return (await store.write({ kind: 'token', id }, entry)) ? 'token' : 'overtaken';
    }
    if (ending.kind !== 'failed') return undefined;
    return (await writePause(store, id, generation, ending, refusals)) ? 'pause' : undefined;
  }
}

function isUnavailable(thrown: unknown): boolean {
  return thrown instanceof XPayAuthError && thrown.code === 'store_unavailable';
}
