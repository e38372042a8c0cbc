import { LRUCache } from 'lru-cache';
import type { SharedCredentials } from '../cluster/shared-credentials.js';
import type { AuditSink } from '../core/audit-events.js';
import type { ComparedClock } from '../core/clock.js';
import { XPayAuthError } from '../core/errors.js';
import { hardMargin } from '../core/lifetime.js';
import type { Instrumentation } from '../core/instrumentation.js';
import { type Principal, callerTokenOf, withCallerToken } from '../core/principal.js';
import type { AccessToken } from '../core/credentials.js';
import { type GrantedToken, KeptToken, type TokenKeeper } from './kept-token.js';
import {
  type Authenticator,
  type PresentedCredentials,
  type Verified,
  isRejection,
  rejection,
} from './presented-credentials.js';
import type { RevocationPosition, Revocations } from './upstream-check.js';

/** A caller whose credentials the upstream accepted. Instants are on the monotonic clock. */
export interface CachedCaller {
  /** Refers to the newest kept token of these credentials. */
  principal: Principal;
  /** Time of the call of the upstream. */
  readonly checkedAt: number;
  /** Ms by which the wall clock was ahead of the monotonic clock at the call of the upstream. */
  readonly wallAheadMs: number;
  /** Expiry of the upstream's grant. */
  readonly endsAt: number;
  /** Time from which the next renewal in the background may begin. */
  renewFrom: number;
}

/** An accepted caller. `mark`: position in the order of revocations before the caller was looked up or checked. */
interface Acceptance {
  readonly principal: Principal;
  readonly upstreamToken: AccessToken | undefined;
  readonly mark: RevocationPosition;
}

/** The times of an answer of the upstream: the call, and the expiry of the grant. */
type Answer = Pick<CachedCaller, 'checkedAt' | 'endsAt'>;

export interface CredentialCacheParts {
  readonly clock: ComparedClock;
  readonly policy: {
    /** Period in ms during which an accepted caller is authenticated without another call of the upstream. */
    readonly periodMs: number;
    /** Ms that are added to the period while the upstream fails. 0 for none. */
    readonly staleIfErrorMs: number;
    /** Maximum number of cached credentials. */
    readonly maxEntries: number;
    /** Whether cached callers keep the token of the upstream, for calls as the caller. @default false */
    readonly keepUpstreamToken?: boolean | undefined;
  };
  readonly revocations: Revocations;
  readonly audit: AuditSink;
  /** Shares verified credentials with other instances. `undefined` if they are not shared. */
  readonly shared?: SharedCredentials | undefined;
  readonly instrumentation: Instrumentation;
  /**
   * Whether a renewal may begin now. A normal renewal may begin only if a place is free. An urgent renewal may also wait for a
   * place.
   */
  readonly hasRoomForRenewal: (isUrgent: boolean) => boolean;
  readonly next: Authenticator;
}

/** Share of the period after which the renewal begins. */
const RENEW_AFTER = 0.75;
/** A failed renewal is repeated after half of the remaining time, but no sooner than after this share of the period. */
const SHORTEST_BACKOFF = 1 / 16;
/**
 * Ms that the wall clock may gain on the monotonic clock. The monotonic clock may stand still while the machine sleeps. After a
 * greater gain, the answer of the upstream is older than the monotonic clock shows, and is no longer used.
 */
const MOST_WALL_GAIN_MS = 2_000;
/**
 * A renewal is urgent if the period of the caller ends within this many ms. An urgent renewal comes before callers who are not
 * cached.
 */
const URGENT_MS = 2_000;

/**
 * First link: returns the caller of credentials that the upstream accepted within the period. Renews the credentials in the
 * background, and with `staleIfErrorMs` uses them longer during an outage. Every answer of the upstream passes through this link,
 * including answers to logins. A rejection deletes the entry of the credentials. An acceptance deletes the entry of the same user
 * with another secret.
 */
export class CredentialCache implements Authenticator, TokenKeeper {
  /** The cached callers, by the digest of their credentials. Beyond `maxEntries`, the least recently used caller is evicted. */
  readonly #callers: LRUCache<string, CachedCaller>;
  /** The key of each user in `#callers`. Each user has at most one key. */
  readonly #keyOfUser = new Map<string, string>();
  /** Number of callers that {@link recall} has returned. */
  hits = 0;

  constructor(private readonly parts: CredentialCacheParts) {
    this.#callers = new LRUCache({
      max: parts.policy.maxEntries,
      dispose: ({ principal: { username } }, key) => {
        if (this.#keyOfUser.get(username) === key) this.#keyOfUser.delete(username);
      },
    });
  }

  /** Returns a caller whose period has not ended. `now` is the result of the last call of `clock.monotonic()`. */
  recall(key: string, now: number): CachedCaller | undefined {
    const caller = this.#callers.get(key);
    if (caller === undefined || !this.#isWithin(this.parts.policy.periodMs, caller, now)) return undefined;
    this.hits++;
    return caller;
  }

  /** Like {@link recall}, but also starts a renewal that is due. */
  authenticated(presented: PresentedCredentials): Principal | undefined {
    const now = this.parts.clock.monotonic();
    const caller = this.recall(presented.key, now);
    if (caller !== undefined && now >= caller.renewFrom) this.renew(caller, presented);
    return caller?.principal;
  }

  /** Checks a cached caller again in the background. Only a rejection ends the entry before its period ends. */
  renew(caller: CachedCaller, presented: PresentedCredentials): void {
    // If no place is free, the next request of this caller tries again. A flood of other callers therefore cannot delay the
    // renewal by a backoff.
    const isUrgent = this.#remainingMs(caller) <= URGENT_MS;
    if (!this.parts.hasRoomForRenewal(isUrgent)) return;
    this.#postponeRenewal(caller);
    void this.#checkAndCache({ ...presented, isRenewal: true }).catch(() => undefined);
  }

  /** Authenticates a caller who is not cached: from the store, by a call of the upstream, or from a stale entry. */
  async verify(presented: PresentedCredentials): Promise<Principal> {
    const now = this.parts.clock.monotonic();
    const { shared } = this.parts;
    const recalled = shared && !presented.isEmpty ? await this.#recallShared(presented, shared) : undefined;
    if (recalled !== undefined) return recalled;
    const old = this.#stale(presented.key);
    if (old !== undefined && now < old.renewFrom) return this.#recalled('stale', old);
    try {
      return await this.#checkAndCache(presented);
    } catch (failure) {
      const isOutage = failure instanceof XPayAuthError && failure.trouble !== 'caller';
      const last = isOutage ? this.#stale(presented.key) : undefined;
      if (last === undefined) throw failure;
      this.#postponeRenewal(last);
      return this.#recalled('stale', last);
    }
  }

  /**
   * Checks a login. Caches no caller. If the same credentials are cached, calls as their later callers use the token of the login,
   * because an upstream that keeps one token per account has invalidated the earlier token.
   */
  async login(presented: PresentedCredentials): Promise<Verified> {
    const verified = await this.authenticate(presented);
    const { mark, grant } = verified;
    const caller = this.#callers.peek(presented.key);
    if (this.parts.policy.keepUpstreamToken !== true || caller === undefined) return verified;
    if (this.#isRevoked(verified) || caller.checkedAt > verified.askedAt) return verified;
    const { principal } = caller;
    caller.principal = this.#keep(presented.key, { principal, upstreamToken: grant.accessToken, mark });
    return verified;
  }

  /** Calls the next link. If the user was revoked during the call, calls it once more. Caches no result. */
  async authenticate(presented: PresentedCredentials): Promise<Verified> {
    const first = await this.#check(presented);
    if (!this.#isRevoked(first)) return first;
    const second = await this.#check(presented);
    if (!this.#isRevoked(second)) return second;
    throw rejection(this.parts.audit, presented, 'revoked during the check');
  }

  /** Returns the kept token of these cached credentials. */
  keptToken(key: string): GrantedToken | undefined {
    const caller = this.#callers.peek(key);
    const kept = caller && callerTokenOf(caller.principal);
    return kept instanceof KeptToken ? kept.granted : undefined;
  }

  tokenRejected(key: string, token: AccessToken): GrantedToken | undefined {
    const kept = this.keptToken(key);
    if (kept !== undefined && kept.token.value !== token.value) return kept;
    this.#callers.delete(key);
    this.parts.shared?.tokenRejected(key, token);
    return undefined;
  }

  revokedSince(mark: RevocationPosition, username: string): boolean {
    return this.parts.revocations.revokedSince(mark, username);
  }

  forgetUser(username: string): void {
    const key = this.#keyOfUser.get(username);
    if (key !== undefined) this.#callers.delete(key);
  }

  forgetAll(): void {
    this.#callers.clear();
  }

  async #checkAndCache(presented: PresentedCredentials): Promise<Principal> {
    const { shared, policy } = this.parts;
    const mark = shared?.mark();
    const verified = await (presented.isRenewal ? this.#check(presented) : this.authenticate(presented));
    const { askedAt: checkedAt, wallAheadMs, answeredAt, lifeMs } = verified;
    const upstreamToken = policy.keepUpstreamToken === true ? verified.grant.accessToken : undefined;
    const principal = this.#keep(presented.key, { ...verified, upstreamToken });
    if (this.#isRevoked(verified) || this.#isOvertaken(verified)) return principal;
    const endsAt = lifeMs === undefined ? Infinity : answeredAt + lifeMs - hardMargin(lifeMs);
    const answer = { principal, checkedAt, wallAheadMs, endsAt };
    this.#cache(presented.key, answer);
    const periodMs = this.#lengthOf(answer);
    if (mark !== undefined) shared?.remember(presented, { ...answer, upstreamToken, mark, periodMs });
    return principal;
  }

  async #check(presented: PresentedCredentials): Promise<Verified> {
    const { next, shared, policy } = this.parts;
    const { key } = presented;
    try {
      const verified = await next.authenticate(presented);
      const { username } = verified.principal;
      if (!this.#isOvertaken(verified)) {
        if (this.#keyOfUser.get(username) !== key) this.forgetUser(username);
        shared?.accepted(presented, username, verified.askedAt);
      }
      return verified;
    } catch (failure) {
      if (isRejection(failure)) {
        this.#callers.delete(key);
        shared?.refused(presented, policy.periodMs);
      }
      throw failure;
    }
  }

  /** Returns a caller that another instance has verified within the period, and caches the caller on this instance. */
  async #recallShared(presented: PresentedCredentials, shared: SharedCredentials): Promise<Principal | undefined> {
    const { revocations, clock, policy } = this.parts;
    const mark = revocations.position();
    const found = await shared.recall(presented);
    // A revocation on this instance during the read is newer than the stored entry.
    if (found === undefined || revocations.revokedSince(mark, found.principal.username)) return undefined;
    if (clock.monotonic() - found.checkedAt >= policy.periodMs) return undefined;
    const answer = { ...found, principal: this.#keep(presented.key, { ...found, mark }) };
    this.#cache(presented.key, answer);
    return this.#recalled('shared', answer);
  }

  /** Returns the principal, which from now on refers to the token, if the token is kept. */
  #keep(key: string, { principal, upstreamToken, mark }: Acceptance): Principal {
    if (upstreamToken === undefined) return principal;
    return withCallerToken(principal, new KeptToken(upstreamToken, key, principal.username, mark, this));
  }

  /** Replaces the entry of this user. */
  #cache(key: string, answer: Omit<CachedCaller, 'renewFrom'>): void {
    const { principal, checkedAt, wallAheadMs, endsAt } = answer;
    const { username } = principal;
    const renewFrom = checkedAt + this.#lengthOf(answer) * RENEW_AFTER;
    if (this.#keyOfUser.get(username) !== key) this.forgetUser(username);
    // Without a spread, because the object would take 250 bytes more with Node 20.
    this.#callers.set(key, { principal, checkedAt, wallAheadMs, endsAt, renewFrom });
    this.#keyOfUser.set(username, key);
  }

  /** Sets the time from which the next renewal may begin, after a renewal that has begun or failed now. */
  #postponeRenewal(caller: CachedCaller): void {
    const waitMs = Math.max(this.#remainingMs(caller) / 2, this.#lengthOf(caller) * SHORTEST_BACKOFF);
    caller.renewFrom = this.parts.clock.monotonic() + waitMs;
  }

  /** Returns for how many ms after the call the answer is used: the period, or less if the grant expires sooner. */
  #lengthOf({ checkedAt, endsAt }: Answer): number {
    return Math.min(this.parts.policy.periodMs, endsAt - checkedAt);
  }

  #remainingMs(answer: Answer): number {
    return answer.checkedAt + this.#lengthOf(answer) - this.parts.clock.monotonic();
  }

  /** @param now the result of the last call of `clock.monotonic()` */
  #isWithin(periodMs: number, { checkedAt, endsAt, wallAheadMs }: CachedCaller, now: number): boolean {
    const { clock } = this.parts;
    const wallGainMs = (clock.wallAheadMs ?? clock.now() - now) - wallAheadMs;
    return now - checkedAt < periodMs && now < endsAt && wallGainMs <= MOST_WALL_GAIN_MS;
  }

  #recalled(level: 'shared' | 'stale', { principal }: Pick<CachedCaller, 'principal'>): Principal {
    this.parts.instrumentation.record({ type: 'recalled', what: 'credentials', level });
    return principal;
  }

  /** Returns a caller whose period has ended, if the caller may still be authenticated during an outage. */
  #stale(key: string): CachedCaller | undefined {
    const caller = this.#callers.get(key);
    const { periodMs, staleIfErrorMs } = this.parts.policy;
    if (caller === undefined || staleIfErrorMs === 0) return undefined;
    return this.#isWithin(periodMs + staleIfErrorMs, caller, this.parts.clock.monotonic()) ? caller : undefined;
  }

  #isRevoked({ mark, principal }: Verified): boolean {
    return this.parts.revocations.revokedSince(mark, principal.username);
  }

  /** Whether the cache has an answer for this user from a later call of the upstream. In this case, the later answer is used. */
  #isOvertaken({ askedAt, principal }: Verified): boolean {
    const key = this.#keyOfUser.get(principal.username);
    const cached = key === undefined ? undefined : this.#callers.peek(key);
    return (cached?.checkedAt ?? -Infinity) > askedAt;
  }
}
