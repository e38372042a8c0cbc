import { LRUCache } from 'lru-cache';
import { lengthPrefixed } from '../core/cache-key.js';
import { Principal } from '../core/principal.js';

/** A caller whose credentials the upstream accepted. Instants are on the monotonic clock. */
export interface CachedCaller {
  readonly principal: Principal;
  /** When the upstream was called. The reader judges whether that is recent enough. */
  readonly checkedAt: number;
  /** By how many ms the wall clock was ahead of the monotonic one at that moment. */
  readonly wallAheadMs: number;
  /** From here on the upstream does not vouch for it any more. */
  readonly endsAt: number;
  /** When the next background renewal may begin. */
  readonly renewFrom: number;
}

/** Most apps have a handful; an upstream that invents one for each user costs no more than this. */
const MOST_SCOPE_SETS = 1_000;

/**
 * The callers of the verification period by the digest of their credentials: bounded, the least recently seen make room. One
 * user has one entry: when the upstream accepts another secret of the same user, the entry of the earlier one is dropped.
 */
export class CachedCallers {
  readonly #byKey: LRUCache<string, { -readonly [Field in keyof CachedCaller]: CachedCaller[Field] }>;
  readonly #keyOfUser = new Map<string, string>();
  /** Equal sets of scopes are one and the same frozen array. */
  readonly #scopeSets = new LRUCache<string, readonly string[]>({ max: MOST_SCOPE_SETS });

  /** @param issuer of the principals */
  constructor(
    maxEntries: number,
    private readonly issuer?: symbol,
  ) {
    this.#byKey = new LRUCache({
      max: maxEntries,
      dispose: ({ principal: { username } }, key) => {
        if (this.#keyOfUser.get(username) === key) this.#keyOfUser.delete(username);
      },
    });
  }

  get size(): number {
    return this.#byKey.size;
  }

  get(key: string): CachedCaller | undefined {
    return this.#byKey.get(key);
  }

  set(key: string, { principal, checkedAt, wallAheadMs, endsAt, renewFrom }: CachedCaller): void {
    const { username, isAPI, expiresAt, instance } = principal;
    const scopes = this.#intern(principal.scopes);
    const cached = new Principal({ username, scopes, isAPI, expiresAt, instance }, this.issuer);
    this.keepOnly(username, key);
    this.#byKey.set(key, { principal: cached, checkedAt, wallAheadMs, endsAt, renewFrom });
    this.#keyOfUser.set(username, key);
  }

  /** The next renewal of this entry may begin then. */
  postpone(key: string, renewFrom: number): void {
    const caller = this.#byKey.peek(key);
    if (caller !== undefined) caller.renewFrom = renewFrom;
  }

  /** Drops the entry of this user under any other key. */
  keepOnly(username: string, key: string): void {
    const other = this.#keyOfUser.get(username);
    if (other !== undefined && other !== key) this.#byKey.delete(other);
  }

  /** When the upstream was last called for this user, under whichever key that is. */
  checkedAtOf(username: string): number | undefined {
    const key = this.#keyOfUser.get(username);
    return key === undefined ? undefined : this.#byKey.peek(key)?.checkedAt;
  }

  forget(key: string): void {
    this.#byKey.delete(key);
  }

  forgetUser(username: string): void {
    const key = this.#keyOfUser.get(username);
    if (key !== undefined) this.#byKey.delete(key);
  }

  forgetAll(): void {
    this.#byKey.clear();
  }

  #intern(scopes: readonly string[]): readonly string[] {
    const key = lengthPrefixed(scopes);
    const known = this.#scopeSets.get(key) ?? Object.freeze([...scopes]);
    this.#scopeSets.set(key, known);
    return known;
  }
}
