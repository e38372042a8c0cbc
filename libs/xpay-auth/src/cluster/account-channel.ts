import { lengthPrefixed } from '../core/credentials.js';
import type { Store } from '../core/store.js';

/** A notification about the token of one account. */
export interface AccountNotification {
  readonly event: 'token' | 'rejected' | 'pause';
  readonly generation: number;
}

type Listener = (notification: AccountNotification) => void;

/**
 * Notifies the instances that share the tokens of accounts. All accounts use one topic, because a topic of each account would
 * cost a subscription at the store for each account. Notifications may be lost.
 */
export class AccountChannel {
  readonly #topic: string;
  /** The listeners by the digest of the account. Two accounts may have the same credentials, and then the same digest. */
  readonly #listeners = new Map<string, Set<Listener>>();
  #unsubscribe: (() => void) | undefined;

  constructor(
    private readonly store: Store,
    scope: readonly string[],
  ) {
    this.#topic = `tokens ${lengthPrefixed(scope)}`;
  }

  /** Returns a function that removes the listener. */
  listen(account: string, listener: Listener): () => void {
    const digest = this.store.indexOf(account);
    const listeners = this.#listeners.get(digest) ?? new Set();
    this.#listeners.set(digest, listeners.add(listener));
    this.#unsubscribe ??= this.store.subscribe(this.#topic, (message) => this.#receive(message));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(digest) === listeners) this.#listeners.delete(digest);
      if (this.#listeners.size > 0) return;
      this.#unsubscribe?.();
      this.#unsubscribe = undefined;
    };
  }

  /** Throws `store_unavailable`. */
  publish(account: string, { event, generation }: AccountNotification): Promise<void> {
    return this.store.publish(this.#topic, `${event} ${generation} ${this.store.indexOf(account)}`);
  }

  /** `message` may be any text, because the sender may run another version of this library. */
  #receive(message: string): void {
    const [event, generation, digest = ''] = message.split(' ');
    if (event !== 'token' && event !== 'rejected' && event !== 'pause') return;
    for (const listener of this.#listeners.get(digest) ?? []) listener({ event, generation: Number(generation) });
  }
}
