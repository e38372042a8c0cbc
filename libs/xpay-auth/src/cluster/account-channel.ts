import type { Store } from '../core/store.js';

/** What happened to an account: it has a new token, its token was rejected, or it rests. */
export type AccountEvent = 'token' | 'rejected' | 'pause';

/** Hears what happened to an account. `what` is any text: the sender's version of this library may be another one. */
export type AccountListener = (id: string, what: string, generation: number) => void;

/** Tells all instances what happens to the accounts that they share, and hears it from them. News may be lost. */
export class AccountChannel {
  /** What ends the news of each account that is followed. */
  readonly #followed = new Map<string, () => void>();

  constructor(
    private readonly store: Store,
    private readonly listener: AccountListener,
  ) {}

  /** `generation`: that of the token or the pause in the store. Throws `store_unavailable`. */
  publish(id: string, what: AccountEvent, generation: number): Promise<void> {
    return this.store.publish(topicOf(id), `${what} ${generation}`);
  }

  /** From here on the listener hears of this account too. */
  follow(id: string): void {
    if (this.#followed.has(id)) return;
    this.#followed.set(
      id,
      this.store.subscribe(topicOf(id), (message) => this.#hear(id, message)),
    );
  }

  /** The listener hears no more of any other account than these. */
  unfollowAllExcept(...ids: readonly (string | undefined)[]): void {
    for (const [id, forget] of this.#followed) {
      if (ids.includes(id)) continue;
      forget();
      this.#followed.delete(id);
    }
  }

  /** The listener hears nothing more. */
  stop(): void {
    for (const forget of this.#followed.values()) forget();
  }

  #hear(id: string, message: string): void {
    const [what = '', generation] = message.split(' ');
    this.listener(id, what, Number(generation));
  }
}

function topicOf(id: string): string {
  return `token ${id}`;
}
