import { LRUCache } from 'lru-cache';
import type { Principal } from '../core/principal.js';
import type { LogPosition } from '../cluster/revocation-log.js';
import type { RevocationPosition } from '../verification/upstream-check.js';
import type { SessionToken } from './session-token.js';

/** A session in the memory of this process. */
export interface SessionRecord {
  readonly principal: Principal;
  readonly mark: RevocationPosition;
  /** End of the session on the monotonic clock. */
  readonly endsAt: number;
  /** End of the session on the wall clock, as returned by the login. */
  readonly expiresAt: number;
  /** Time of the last use, on the monotonic clock. */
  seenAt: number;
  /** Only with `session.keepUpstreamToken`. */
  readonly token: SessionToken | undefined;
  /** The data of the session in the store. `undefined` if sessions are not shared. */
  readonly shared?: SharedFacts | undefined;
}

/** The data that identify a session in the store. */
export interface SharedFacts {
  readonly mark: LogPosition;
  /** Index of the user in the log of revocations. */
  readonly userIndex: string;
  /** Index of the session, which is the same on all instances. */
  readonly index: string;
  /** Generation of the session's entry in the store. A later login with the same token has a greater generation. */
  readonly generation: number;
  /** Start of the last read of the session, on the monotonic clock. */
  readonly checkedAt: number;
}

/** Maximum number of sessions in one process. Beyond the maximum, the least recently used sessions end. */
const MOST_SESSIONS = 100_000;
/** The sessions of one process, by the digest of their `Authorization` header. */
export class SessionRecords {
  /** The keys of each user's sessions, oldest login first. */
  readonly #keysOfUser = new Map<string, Set<string>>();
  readonly #byKey = new LRUCache<string, SessionRecord>({
    // `max` would allocate memory for all sessions at boot.
    maxSize: MOST_SESSIONS,
    sizeCalculation: () => 1,
    dispose: ({ principal }, key) => this.#untie(principal.username, key),
  });

  /**
   * @param maxPerUser maximum number of sessions per user. Beyond the maximum, the user's oldest session ends, so that one
   *   account cannot evict the sessions of all others
   */
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

  /** Returns the sessions of a user, oldest login first. */
  ofUser(username: string): readonly SessionRecord[] {
    return [...(this.#keysOfUser.get(username) ?? [])].flatMap((key) => this.#byKey.peek(key) ?? []);
  }

  /** All records. Reading them here does not count as a use of a session. */
  values(): Iterable<SessionRecord> {
    return this.#byKey.values();
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
