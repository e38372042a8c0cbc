import type { Clock } from '../core/clock.js';
import type { Store } from '../core/store.js';
import { abortable } from '../async/promises.js';

/** An event of an account: a new token, a rejected token, or the start of a backoff. */
export type AccountEvent = 'token' | 'rejected' | 'pause';

/** Receives an event of an account. `event` may be any text: the sender may run another version of this library. */
export type AccountListener = (id: string, event: string, generation: number) => void;

/** Notifies the instances that share an account of what happens to it. Notifications may be lost. */
export class AccountChannel {
  /** Ends the subscription of each account. */
  readonly #subscriptions = new Map<string, () => void>();
  #received = 0;
  #wake = (): void => undefined;

  constructor(
    private readonly store: Store,
    private readonly clock: Clock,
    private readonly listener: AccountListener,
  ) {}

  /** Number of notifications so far. */
  get received(): number {
    return this.#received;
  }

  /** `generation`: that of the token or the backoff in the store. Throws `store_unavailable`. */
  publish(id: string, event: AccountEvent, generation: number): Promise<void> {
    return this.store.publish(topicOf(id), `${event} ${generation}`);
  }

  /** Waits for a notification beyond the first `received`, for `ms` at most. One wait at a time. */
  async next(received: number, ms: number, signal: AbortSignal): Promise<void> {
    if (this.#received > received) return;
    const notified = new Promise<void>((resolve) => {
      const cancel = this.clock.setTimer(resolve, ms);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
    await abortable(notified, signal);
  }

  /** Subscribes to these accounts, and to no other. */
  follow(...ids: readonly (string | undefined)[]): void {
    for (const [id, unsubscribe] of this.#subscriptions) {
      if (ids.includes(id)) continue;
      unsubscribe();
      this.#subscriptions.delete(id);
    }
    for (const id of ids) {
      if (id === undefined || this.#subscriptions.has(id)) continue;
      this.#subscriptions.set(
        id,
        this.store.subscribe(topicOf(id), (message) => this.#receive(id, message)),
      );
    }
  }

  #receive(id: string, message: string): void {
    this.#received++;
    this.#wake();
    const [event = '', generation] = message.split(' ');
    this.listener(id, event, Number(generation));
  }
}

function topicOf(id: string): string {
  return `token ${id}`;
}
