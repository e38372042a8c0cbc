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
  /** Time at which the first logout of the session, or of all sessions of the user, was sent. */
  mayEndAt: number;
  /** Time at which such a logout was acknowledged. */
  endedAt: number;
}

/**
 * Time within which every instance must know a logout or the loss of the store. The rule is one second; this machine is
 * busy.
 */
const KNOWN_EVERYWHERE_MS = 2_000;
/** Time within which an instance repeats a revocation that failed. The instance may have been suspended. */
const REPEATED_WITHIN_MS = 30_000;
/** Time for which a 429 of the upstream may have effects after its end. */
const RATE_LIMIT_EFFECT_MS = 15_000;
/**
 * Time for which an account may be rejected after its key was changed, or after its token was revoked. A second rejected token
 * is renewed 5 s after the first one at the earliest.
 */
const REJECTED_MS = 8_000;

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
  /** Sessions and accounts may have lost a token of the upstream that was issued before this time. */
  #tokensLostAt = -Infinity;
  /** Time of the last revocation of each user. Sessions whose login was sent before this time may be over. */
  readonly #revokedAt = new Map<string, number>();
  /** Number of revocations of each user without an answer. */
  readonly #revoking = new Map<string, number>();
  /** Revocations that failed. An instance repeats each of them later. */
  readonly #owed: { readonly username: string; readonly sentAt: number }[] = [];
  /** Time until which the upstream answers 429, for one username or for all (`*`). */
  readonly #limitedUntil = new Map<string, number>();
  /** Time of the last change of the key or the tokens of each account of the app. */
  readonly #changedAt = new Map<string, number>();

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

  /** The key or the tokens of an account of the app have changed. */
  accountChanged(username: string): void {
    this.#changedAt.set(username, performance.now());
  }

  /** Whether the upstream may have rejected this account of the app during a request that was sent at this time. */
  mayBeRejected(username: string, sentAt: number): boolean {
    const changedAt = Math.max(this.#changedAt.get(username) ?? -Infinity, this.#tokensLostAt);
    return sentAt <= changedAt + REJECTED_MS;
  }

  /** @param username `*`: all users */
  rateLimit(username: string): void {
    this.#limitedUntil.set(username, Infinity);
  }

  rateLimitEnds(): void {
    for (const [username, until] of this.#limitedUntil) {
      if (until === Infinity) this.#limitedUntil.set(username, performance.now());
    }
  }

  /** Whether the upstream may have answered 429 for one of these users. */
  mayBeRateLimited(usernames: readonly string[], sentAt: number): boolean {
    return ['*', ...usernames].some(
      (username) => sentAt <= (this.#limitedUntil.get(username) ?? -Infinity) + RATE_LIMIT_EFFECT_MS,
    );
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

  /** From now on, the upstream may revoke any token, until {@link tokensAreSafe}. */
  tokensMayBeLost(): void {
    this.#tokensLostAt = Infinity;
  }

  tokensAreSafe(): void {
    this.#tokensLostAt = performance.now();
  }

  /** A logout of all sessions of a user was sent. These sessions may be over from now on. */
  revocationSent(username: string): void {
    this.#revoking.set(username, (this.#revoking.get(username) ?? 0) + 1);
  }

  revocationAnswered(username: string, sentAt: number, isAcknowledged: boolean): void {
    this.#revoking.set(username, (this.#revoking.get(username) ?? 0) - 1);
    this.#revokedAt.set(username, performance.now());
    if (!isAcknowledged) this.#owed.push({ username, sentAt });
  }

  /** Whether a session that was used between these times may be rejected. */
  mayBeOver({ username, beganAt, endsAt, mayEndAt }: Login, answeredAt: number): boolean {
    if ((this.#revoking.get(username) ?? 0) > 0) return true;
    const emptiedAt = this.#emptiedAt + 1_000;
    const tokensLostAt = this.#tokensLostAt + 1_000;
    const revokedAt = this.#revokedAt.get(username) ?? -Infinity;
    const owedUntil = this.#owed
      .filter((owed) => owed.username === username)
      .map((owed) => Math.max(owed.sentAt, this.#storeWellSince) + REPEATED_WITHIN_MS);
    const beganBefore = Math.max(emptiedAt, tokensLostAt, revokedAt, ...owedUntil);
    return answeredAt >= endsAt - 1_000 || answeredAt >= mayEndAt || beganAt <= beganBefore;
  }

  /** Whether a session that is used now must be rejected. */
  mustBeOver({ answeredAt, endsAt, endedAt }: Login, sentAt: number): boolean {
    const known = Math.max(endedAt, this.#storeWellSince) + KNOWN_EVERYWHERE_MS;
    const emptied = Math.max(this.#emptiedAt, this.#storeWellSince) + KNOWN_EVERYWHERE_MS;
    return sentAt > endsAt + 1_000 || sentAt > known || (answeredAt < this.#emptiedFrom && sentAt > emptied);
  }
}
