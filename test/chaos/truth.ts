import { PERIOD_MS } from './stage.js';

/** An acknowledged login. */
export interface Login {
  readonly accessToken: string;
  readonly username: string;
  /** Times at which the login was sent and answered. */
  readonly beganAt: number;
  readonly answeredAt: number;
  /** End of the session from `expiresAt` of the response, on this process's clock. */
  readonly endsAt: number;
  /** Time at which the logout was acknowledged. */
  loggedOutAt: number;
}

/**
 * Time within which every instance must know a logout or the loss of the store. The rule is one second; this machine is
 * busy.
 */
const KNOWN_EVERYWHERE_MS = 2_000;

/**
 * The true state, independent of the apps: keys, times of their changes, and losses of the store. Times as
 * `performance.now()`.
 */
export class Truth {
  readonly #keys = new Map<string, { current: string; previous: string | undefined; changedAt: number }>();
  /** Start and end of the last flush of the store. It ends all earlier sessions. */
  #emptiedFrom = -Infinity;
  #emptiedAt = -Infinity;
  /** While the store is away, an instance may not learn of a logout. */
  #storeWellSince = -Infinity;

  constructor(users: readonly { username: string; secretKey: string }[]) {
    for (const { username, secretKey } of users) {
      this.#keys.set(username, { current: secretKey, previous: undefined, changedAt: -Infinity });
    }
  }

  keyOf(username: string): string {
    return this.#keys.get(username)?.current ?? '';
  }

  /** Returns a key that is no longer valid and that no instance may still cache. */
  deadKeyOf(username: string): string | undefined {
    const keys = this.#keys.get(username);
    const isDead = keys !== undefined && performance.now() > keys.changedAt + PERIOD_MS + 1_000;
    return isDead ? keys.previous : undefined;
  }

  changeKey(username: string, secretKey: string): void {
    this.#keys.set(username, { current: secretKey, previous: this.keyOf(username), changedAt: performance.now() });
  }

  /**
   * Whether this key is valid now. A key that was read before a request, and is valid after it, was valid all the time.
   */
  isKeyOf(username: string, secretKey: string): boolean {
    return this.keyOf(username) === secretKey;
  }

  storeGoes(): void {
    this.#storeWellSince = Infinity;
  }

  storeIsBack(): void {
    this.#storeWellSince = performance.now();
  }

  async storeIsEmptied(empty: () => Promise<unknown>): Promise<void> {
    this.#emptiedFrom = performance.now();
    // Until the flush has completed, a response may belong to either side of it.
    this.#emptiedAt = Infinity;
    await empty();
    this.#emptiedAt = performance.now();
  }

  /** Whether a session that was used between these times may be rejected. */
  mayBeOver({ beganAt, endsAt, loggedOutAt }: Login, answeredAt: number): boolean {
    return answeredAt >= endsAt - 1_000 || answeredAt >= loggedOutAt || beganAt <= this.#emptiedAt + 1_000;
  }

  /** Whether a session that is used now must be rejected. */
  mustBeOver({ answeredAt, endsAt, loggedOutAt }: Login, sentAt: number): boolean {
    const known = Math.max(loggedOutAt, this.#storeWellSince) + KNOWN_EVERYWHERE_MS;
    const emptied = Math.max(this.#emptiedAt, this.#storeWellSince) + KNOWN_EVERYWHERE_MS;
    return sentAt > endsAt + 1_000 || sentAt > known || (answeredAt < this.#emptiedFrom && sentAt > emptied);
  }
}
