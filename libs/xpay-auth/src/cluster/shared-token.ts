import { lengthPrefixed } from '../core/credentials.js';
import type { Clock } from '../core/clock.js';
import { XPayAuthError } from '../core/errors.js';
import { hardMargin } from '../core/lifetime.js';
import type { Lease, Store } from '../core/store.js';
import { BackedOff } from '../async/backoff.js';
import { abortable } from '../async/promises.js';
import type {
  Attempt,
  GrantProvider,
  LiveGrant,
  RecordedFailure,
  SharingLink,
  StoredName,
  TokenListener,
} from '../token/grant-provider.js';
import type { AccountChannel, AccountNotification } from './account-channel.js';
import { readBackoff, readToken, writeBackoff, writeToken } from './stored-token.js';

export interface SharedTokenParts {
  readonly store: Store;
  readonly channel: AccountChannel;
  readonly clock: Clock;
  /** Settings that, in addition to the account, must be the same on all instances that share a token. */
  readonly scope: readonly string[];
  readonly hardMarginMs: number | undefined;
}

/**
 * Ms by which a lease is longer than the attempt of its holder. This leaves time for the calls to the store before and after
 * the attempt.
 */
const LEASE_SLACK_MS = 3_000;
/** Ms between two reads of the store while another instance has the lease, because notifications may be lost. */
const POLL_MS = 500;

/** The newest token of the app account that this instance has read from the store or written to it. */
interface Newest {
  readonly id: string;
  generation: number;
}

/**
 * Third link of the token chain, if there is a store. Returns the token that another instance has obtained. If there is no such
 * token, this link acquires the lease, obtains a token and writes the token to the store. An instance without the lease waits for
 * the token of the instance that has the lease. While the store is unavailable, every instance obtains its own token.
 */
export class SharedToken implements SharingLink {
  /**
   * Time for two leases. If the holder of the first lease dies, a waiting instance still has time to acquire a lease and to
   * make an attempt.
   */
  readonly deadlineMs: number;
  readonly #leaseMs: number;
  /** For each account, the function that ends the subscription. */
  readonly #subscriptions = new Map<string, () => void>();
  /** Number of notifications received so far. */
  #received = 0;
  #wake = (): void => undefined;
  #newest: Newest | undefined;
  /** Generation under which this instance shared its last failure. */
  #failedAs: number | undefined;
  #listener: TokenListener | undefined;

  constructor(
    private readonly parts: SharedTokenParts,
    private readonly next: GrantProvider,
  ) {
    this.#leaseMs = next.deadlineMs + LEASE_SLACK_MS;
    this.deadlineMs = 2 * this.#leaseMs;
  }

  listen(listener: TokenListener): void {
    this.#listener = listener;
  }

  async obtain(attempt: Attempt): Promise<LiveGrant> {
    const newest = this.#newestFor(attempt);
    const taken = await this.#take(newest, attempt);
    if (taken === undefined) return this.next.obtain(attempt);
    return 'accessToken' in taken ? taken : this.#obtainWith(taken, newest, attempt);
  }

  /** Removes a rejected token from the store, and notifies the other instances. */
  rejected({ stored }: LiveGrant): void {
    if (stored === undefined) return;
    const { id, generation } = stored;
    void this.parts.store
      .discard({ kind: 'token', id }, generation, this.#leaseMs)
      .then(() => this.parts.channel.publish(id, { event: 'rejected', generation }))
      .catch(() => undefined);
  }

  stop(): void {
    this.#follow();
    // A later attempt may read the same token from the store again.
    this.#newest = undefined;
  }

  /**
   * Returns a token of another instance, or the lease if there is no token, or `undefined` if the store is unavailable. Throws
   * `BackedOff` if another instance has shared a backoff.
   */
  async #take(newest: Newest, attempt: Attempt): Promise<LiveGrant | Lease | undefined> {
    const { store } = this.parts;
    let lease: Lease | undefined;
    let isKept = false;
    try {
      for (;;) {
        attempt.signal.throwIfAborted();
        const received = this.#received;
        const [grant, backoff] = await Promise.all([
          this.#newer(newest),
          readBackoff(store, newest.id, attempt.usableForMs()),
        ]);
        if (grant !== undefined && attempt.rejectedForMs(grant.accessToken, grant.ageMs) === 0) return grant;
        // Ignores a backoff that this instance wrote: it has ended, because this instance makes no attempt during its own backoff.
        if (backoff !== undefined && backoff.generation !== this.#failedAs)
          throw new BackedOff(backoff.failure, backoff.rejections, backoff.failures);
        isKept = lease !== undefined;
        if (isKept) return lease;
        const taken = await store.acquire({ kind: 'token', id: newest.id }, this.#leaseMs);
        // The previous holder of the lease may have written its token after the read above, so read once more.
        if (taken.kind === 'acquired') lease = taken;
        else await this.#notified(received, Math.min(POLL_MS, taken.remainingMs + 1), attempt.signal);
      }
    } catch (thrown) {
      if (thrown instanceof XPayAuthError && thrown.code === 'store_unavailable') return undefined;
      throw thrown;
    } finally {
      if (!isKept) void lease?.release();
    }
  }

  /** Returns the stored token if it is newer than the newest known token and still usable. */
  async #newer(newest: Newest): Promise<LiveGrant | undefined> {
    const { store, clock, hardMarginMs } = this.parts;
    const grant = await readToken(store, clock, newest.id);
    if (grant === undefined || grant.stored.generation <= newest.generation) return undefined;
    if (grant.lifeMs - grant.ageMs <= hardMargin(grant.lifeMs, hardMarginMs)) return undefined;
    newest.generation = grant.stored.generation;
    return grant;
  }

  async #obtainWith(lease: Lease, newest: Newest, attempt: Attempt): Promise<LiveGrant> {
    const stored = { id: newest.id, generation: lease.generation };
    let sharing: Promise<void> | undefined;
    try {
      const grant = { ...(await this.next.obtain(attempt)), stored };
      newest.generation = Math.max(stored.generation, newest.generation);
      sharing = this.#shareToken(grant, newest);
      return grant;
    } catch (thrown) {
      sharing = this.#shareFailure(stored, attempt.failed(thrown));
      throw thrown;
    } finally {
      // Callers do not wait for the store. If the store does not accept the token, the other instances obtain their own.
      void sharing?.catch(() => undefined).then(() => lease.release());
    }
  }

  async #shareFailure(name: StoredName, failure: RecordedFailure | undefined): Promise<void> {
    const isWritten = failure !== undefined && (await writeBackoff(this.parts.store, name, failure));
    if (!isWritten) return;
    const { id, generation } = name;
    this.#failedAs = generation;
    await this.parts.channel.publish(id, { event: 'pause', generation });
  }

  async #shareToken(grant: LiveGrant & { readonly stored: StoredName }, newest: Newest): Promise<void> {
    const { id, generation } = grant.stored;
    if (await writeToken(this.parts.store, grant.stored, grant)) {
      await this.parts.channel.publish(id, { event: 'token', generation });
    } else if (this.#newest === newest) {
      // The lease ended before this instance wrote its token, and another instance has written a newer token.
      newest.generation = -1;
      this.#adopt(newest);
    }
  }

  #adopt(newest: Newest): void {
    this.#listener?.adopt(() => this.#newer(newest).catch(() => undefined));
  }

  /**
   * Returns the newest known token of the account. Changed credentials count as another account, with separate entries in the
   * store.
   */
  #newestFor({ credentials: { username, secretKey }, current }: Attempt): Newest {
    const id = lengthPrefixed([...this.parts.scope, username, secretKey]);
    this.#follow(id, current?.stored?.id);
    if (this.#newest?.id !== id) this.#newest = { id, generation: -1 };
    return this.#newest;
  }

  /** Waits for at most `ms` until more than `received` notifications have arrived. Only one wait at a time is possible. */
  async #notified(received: number, ms: number, signal: AbortSignal): Promise<void> {
    if (this.#received > received) return;
    const notified = new Promise<void>((resolve) => {
      const cancel = this.parts.clock.setTimer(resolve, ms);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
    await abortable(notified, signal);
  }

  /** Subscribes to these accounts, and ends the subscriptions to all others. */
  #follow(...ids: readonly (string | undefined)[]): void {
    for (const [id, unsubscribe] of this.#subscriptions) {
      if (ids.includes(id)) continue;
      unsubscribe();
      this.#subscriptions.delete(id);
    }
    for (const id of ids) {
      if (id === undefined || this.#subscriptions.has(id)) continue;
      const receive = (notification: AccountNotification): void => this.#receive(id, notification);
      this.#subscriptions.set(id, this.parts.channel.listen(id, receive));
    }
  }

  #receive(id: string, { event, generation }: AccountNotification): void {
    this.#received++;
    this.#wake();
    const newest = this.#newest;
    if (event === 'rejected') this.#listener?.rejectedElsewhere({ id, generation });
    if (event === 'token' && id === newest?.id && generation > newest.generation) this.#adopt(newest);
  }
}
