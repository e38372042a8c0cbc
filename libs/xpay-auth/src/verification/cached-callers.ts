import { LRUCache } from 'lru-cache';
import { lengthPrefixed } from '../core/credentials.js';
import type { Clock } from '../core/clock.js';
import { Principal } from '../core/principal.js';

/** A caller whose credentials the upstream accepted. Instants are on the monotonic clock. */
export interface CachedCaller {
  readonly principal: Principal;
  /** When the upstream was called. {@link VerificationPeriod} decides whether that is recent enough. */
  readonly checkedAt: number;
  /** By how many ms the wall clock was ahead of the monotonic one at that moment. */
  readonly wallAheadMs: number;
  /** When the grant of the upstream expires. */
  readonly endsAt: number;
  /** When the next background renewal may begin. */
  readonly renewFrom: number;
}

/** Sets of scopes that are shared between principals. Most apps have a handful. */
const MOST_SCOPE_SETS = 1_000;

/**
 * The callers of the verification period, by the digest of their credentials. Beyond the limit the least recently seen is
 * dropped. A user has one entry: when the upstream accepts another secret of the same user, the earlier entry is dropped.
 */
export class CachedCallers {
  readonly #byKey: LRUCache<string, { -readonly [Field in keyof CachedCaller]: CachedCaller[Field] }>;
  readonly #keyOfUser = new Map<string, string>();
  /** Equal sets of scopes share one frozen array. */
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

  /** Sets when the next renewal of this entry may begin. */
  postpone(key: string, renewFrom: number): void {
    const caller = this.#byKey.peek(key);
    if (caller !== undefined) caller.renewFrom = renewFrom;
  }

  /** Drops the entry of this user under any other key. */
  keepOnly(username: string, key: string): void {
    const other = this.#keyOfUser.get(username);
    if (other !== undefined && other !== key) this.#byKey.delete(other);
  }

  /** Returns when the upstream was last called for this user, under any key. */
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

export interface PeriodPolicy {
  /** Ms for which an accepted caller is authenticated without another call of the upstream. */
  readonly periodMs: number;
  /** Ms beyond the period for which a caller is authenticated during an outage of the upstream; 0: none. */
  readonly staleIfErrorMs: number;
}

export interface CallerPeriodParts {
  readonly clock: Clock;
  readonly policy: PeriodPolicy;
}

/** An answer of the upstream: when the upstream was called, and when its grant expires. */
type Answer = Pick<CachedCaller, 'checkedAt' | 'endsAt'>;

/** Renewal begins when this share of the period is over … */
const RENEW_AFTER = 0.75;
/** … and is repeated, while it fails, after half of the time left, at least after this share of the period. */
const SHORTEST_BACKOFF = 1 / 16;
/**
 * The monotonic clock may stand still while a machine sleeps. If the wall clock gained more than this since the call, the
 * answer is older than it seems.
 */
const MOST_WALL_GAIN_MS = 2_000;

/** Computes for how long an answer of the upstream holds. Instants are on the monotonic clock. */
export class VerificationPeriod {
  constructor(private readonly parts: CallerPeriodParts) {}

  /** Returns the ms from the call for which its answer holds: the period, unless the grant expires before. */
  lengthOf({ checkedAt, endsAt }: Answer): number {
    return Math.min(this.parts.policy.periodMs, endsAt - checkedAt);
  }

  /** Returns when the answer no longer holds. */
  endOf(answer: Answer): number {
    return answer.checkedAt + this.lengthOf(answer);
  }

  /** Returns when the first renewal may begin. */
  renewalOf(answer: Answer): number {
    return answer.checkedAt + this.lengthOf(answer) * RENEW_AFTER;
  }

  /** Returns when the next renewal may begin, after one that has begun or failed now. */
  nextRenewalOf(answer: Answer): number {
    const now = this.parts.clock.monotonic();
    const lengthMs = this.lengthOf(answer);
    return now + Math.max((answer.checkedAt + lengthMs - now) / 2, lengthMs * SHORTEST_BACKOFF);
  }

  /** Whether the caller is authenticated without another call. */
  holds(caller: CachedCaller, now: number): boolean {
    return this.#isWithin(this.parts.policy.periodMs, caller, now);
  }

  /** Whether the caller is authenticated during an outage. */
  holdsInTrouble(caller: CachedCaller, now: number): boolean {
    const { periodMs, staleIfErrorMs } = this.parts.policy;
    return staleIfErrorMs > 0 && this.#isWithin(periodMs + staleIfErrorMs, caller, now);
  }

  #isWithin(periodMs: number, { checkedAt, endsAt, wallAheadMs }: CachedCaller, now: number): boolean {
    return (
      now - checkedAt < periodMs && now < endsAt && this.parts.clock.now() - now - wallAheadMs <= MOST_WALL_GAIN_MS
    );
  }
}
