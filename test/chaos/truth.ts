import { PERIOD_MS } from './stage.js';

/** A login that was told it is one. */
export interface Login {
  readonly accessToken: string;
  readonly username: string;
  /** When it was asked for, and when it was answered. */
  readonly beganAt: number;
  readonly answeredAt: number;
  /** By the answer's `expiresAt`, on this process's clock. */
  readonly endsAt: number;
  /** When the logout was acknowledged. */
  loggedOutAt: number;
}

/** Within it a logout, and the loss of the store, must have come to everybody. A second by the rule; this machine is busy. */
const KNOWN_EVERYWHERE_MS = 2_000;

/** What is so, whatever the apps say: keys, when they changed, and what the store has lost. Times as `performance.now()`. */
export class Truth {
  readonly #keys = new Map<string, { current: string; previous: string | undefined; changedAt: number }>();
  /** When the store was emptied, from and to: sessions of before are over. */
  #emptiedFrom = -Infinity;
  #emptiedAt = -Infinity;
  /** While it is away an instance may not hear of a logout. */
  #storeWellSince = -Infinity;

  constructor(users: readonly { username: string; secretKey: string }[]) {
    for (const { username, secretKey } of users) {
      this.#keys.set(username, { current: secretKey, previous: undefined, changedAt: -Infinity });
    }
  }

  keyOf(username: string): string {
    return this.#keys.get(username)?.current ?? '';
  }

  /** A key that is not right any more, and no instance may remember. */
  deadKeyOf(username: string): string | undefined {
    const keys = this.#keys.get(username);
    const isDead = keys !== undefined && performance.now() > keys.changedAt + PERIOD_MS + 1_000;
    return isDead ? keys.previous : undefined;
  }

  changeKey(username: string, secretKey: string): void {
    this.#keys.set(username, { current: secretKey, previous: this.keyOf(username), changedAt: performance.now() });
  }

  /** Whether this key is right now. One that was read at the beginning of a request, and still is, was right all the time. */
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
    // Until it is done, nobody can say of which side of it an answer is.
    this.#emptiedAt = Infinity;
    await empty();
    this.#emptiedAt = performance.now();
  }

  /** Whether a session may be refused that was asked for between these times. */
  mayBeOver({ beganAt, endsAt, loggedOutAt }: Login, answeredAt: number): boolean {
    return answeredAt >= endsAt - 1_000 || answeredAt >= loggedOutAt || beganAt <= this.#emptiedAt + 1_000;
  }

  /** Whether a session must be refused when it is asked for now. */
  mustBeOver({ answeredAt, endsAt, loggedOutAt }: Login, sentAt: number): boolean {
    const known = Math.max(loggedOutAt, this.#storeWellSince) + KNOWN_EVERYWHERE_MS;
    const emptied = Math.max(this.#emptiedAt, this.#storeWellSince) + KNOWN_EVERYWHERE_MS;
    return sentAt > endsAt + 1_000 || sentAt > known || (answeredAt < this.#emptiedFrom && sentAt > emptied);
  }
}
