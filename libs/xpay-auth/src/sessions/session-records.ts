import { LRUCache } from 'lru-cache';
import type { AccessToken } from '../core/credentials.js';
import type { Principal } from '../core/principal.js';
import type { LogPosition } from '../cluster/revocation-log.js';
import type { RevocationPosition } from '../verification/upstream-check.js';

/** A session as this process knows it. */
export interface SessionRecord {
  readonly principal: Principal;
  readonly mark: RevocationPosition;
  /** On the monotonic clock. */
  readonly endsAt: number;
  /** On the wall clock, as the login returned it. */
  readonly expiresAt: number;
  /** When it was used last, on the monotonic clock. */
  seenAt: number;
  readonly upstreamToken: AccessToken | undefined;
  /** Where sessions are shared: the facts in the store. */
  readonly shared?: SharedFacts | undefined;
}

/** The facts of a session that other instances may know too. */
export interface SharedFacts {
  readonly mark: LogPosition;
  /** Of the user, in the log of revocations. */
  readonly userIndex: string;
  /** Its name among the instances. */
  readonly index: string;
  /** Of its entry in the store: a later login by the same bearer has a greater one. */
  readonly generation: number;
  /** When the store was asked for it, on the monotonic clock. */
  readonly checkedAt: number;
}

/** Sessions alive at once in one process; beyond it the least recently used end. */
const MOST_SESSIONS = 100_000;
/** The sessions of one process, by the digest of their `Authorization` header. */
export class SessionRecords {
  /** Of each user the keys, oldest login first. */
  readonly #keysOfUser = new Map<string, Set<string>>();
  readonly #byKey = new LRUCache<string, SessionRecord>({
    max: MOST_SESSIONS,
    dispose: ({ principal }, key) => this.#untie(principal.username, key),
  });

  /** @param maxPerUser sessions of one user; beyond it that user's oldest ends, so that no account can crowd out the others */
  constructor(private readonly maxPerUser: number) {}

  get(key: string): SessionRecord | undefined {
    return this.#byKey.get(key);
  }

  set(key: string, record: SessionRecord): void {
    const { username } = record.principal;
    this.#byKey.set(key, record);
    const keys = this.#keysOfUser.get(username) ?? new Set();
    this.#keysOfUser.set(username, keys.add(key));
    const [oldest] = keys;
    if (keys.size > this.maxPerUser && oldest !== undefined) this.#byKey.delete(oldest);
  }

  delete(key: string): void {
    this.#byKey.delete(key);
  }

  clear(): void {
    this.#byKey.clear();
  }

  #untie(username: string, key: string): void {
    const keys = this.#keysOfUser.get(username);
    keys?.delete(key);
    if (keys?.size === 0) this.#keysOfUser.delete(username);
  }
}
