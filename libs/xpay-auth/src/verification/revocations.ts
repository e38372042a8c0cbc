import { LRUCache } from 'lru-cache';

/** A moment in the order of revocations: what began before one is judged by it. */
export type RevocationPosition = number;

/** So many users revoked one by one are kept apart; beyond it everybody is revoked, which errs on the safe side. */
const MOST_USERS = 10_000;

/**
 * Who was revoked, and when, in an order of its own rather than in time: a check or a session that began before a
 * revocation is over, however late its answer comes.
 */
export class Revocations {
  #now: RevocationPosition = 0;
  #everybodyAt: RevocationPosition = 0;
  readonly #users = new LRUCache<string, RevocationPosition>({
    max: MOST_USERS,
    dispose: (at, _username, reason) => {
      if (reason === 'evict') this.#everybodyAt = Math.max(this.#everybodyAt, at);
    },
  });

  /** To be taken before the upstream is asked. */
  position(): RevocationPosition {
    return this.#now;
  }

  revokeUser(username: string): void {
    this.#users.set(username, ++this.#now);
  }

  revokeAll(): void {
    this.#everybodyAt = ++this.#now;
    this.#users.clear();
  }

  /** Whether this user was revoked after the mark was taken. */
  revokedSince(mark: RevocationPosition, username: string): boolean {
    return this.#everybodyAt > mark || (this.#users.get(username) ?? 0) > mark;
  }
}
