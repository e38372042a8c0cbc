import type { SharedCredentials } from '../cluster/shared-credentials.js';
import type { AuditSink } from '../core/audit-events.js';
import { canonicalText } from '../core/credentials.js';
import type { Clock } from '../core/clock.js';
import { XPayAuthError } from '../core/errors.js';
import { hardMargin } from '../core/lifetime.js';
import type { Instrumentation } from '../core/instrumentation.js';
import type { Principal } from '../core/principal.js';
import { type CachedCaller, CachedCallers, type PeriodPolicy, VerificationPeriod } from './cached-callers.js';
import {
  type Authenticator,
  type PresentedCredentials,
  type Verified,
  isRejection,
  rejection,
} from './presented-credentials.js';
import type { Revocations } from './upstream-check.js';

export interface CredentialCacheParts {
  readonly instance: string;
  readonly dialect: string;
  readonly baseUrl: string;
  /** The issuer of the principals. */
  readonly issuer: symbol;
  readonly clock: Clock;
  readonly policy: PeriodPolicy & {
    /** Maximum number of cached credentials. */
    readonly maxEntries: number;
  };
  readonly revocations: Revocations;
  readonly audit: AuditSink;
  /** Where verified credentials are shared with other instances. */
  readonly shared?: SharedCredentials | undefined;
  readonly instrumentation: Instrumentation;
  /** Whether there is a place for a renewal now. An urgent renewal may also wait for one. */
  readonly hasRoomForRenewal: (isUrgent: boolean) => boolean;
  readonly next: Authenticator;
}

/** Ms before the end of its period from which the renewal of a caller comes before callers who are not cached. */
const URGENT_MS = 2_000;

/**
 * First link: returns the caller of credentials that the upstream accepted within the period, renews them in the background, and
 * with `staleIfErrorMs` uses them longer during an outage. Every answer of the upstream passes through here, also for a login: a
 * rejection drops the entry of these credentials, an acceptance drops the user's entry under another secret.
 */
export class CredentialCache implements Authenticator {
  readonly #callers: CachedCallers;
  readonly #period: VerificationPeriod;
  #hits = 0;

  constructor(private readonly parts: CredentialCacheParts) {
    this.#callers = new CachedCallers(parts.policy.maxEntries, parts.issuer);
    this.#period = new VerificationPeriod(parts);
  }

  get hits(): number {
    return this.#hits;
  }

  /** Returns a caller whose period is not over; `now` is on the monotonic clock. */
  recall(key: string, now: number): CachedCaller | undefined {
    const caller = this.#callers.get(key);
    if (caller === undefined || !this.#period.holds(caller, now)) return undefined;
    this.#hits++;
    return caller;
  }

  /** Like {@link recall}, and starts the renewal if it is due. */
  authenticated(presented: PresentedCredentials): Principal | undefined {
    const now = this.parts.clock.monotonic();
    const caller = this.recall(presented.key, now);
    if (caller !== undefined && now >= caller.renewFrom) this.renew(caller, presented);
    return caller?.principal;
  }

  /** Checks a cached caller again in the background; only a rejection ends the entry early. */
  renew(caller: CachedCaller, presented: PresentedCredentials): void {
    // If there is no room, the next request of this caller tries again. A flood therefore cannot postpone the renewal.
    const isUrgent = this.#period.endOf(caller) - this.parts.clock.monotonic() <= URGENT_MS;
    if (!this.parts.hasRoomForRenewal(isUrgent)) return;
    this.#callers.postpone(presented.key, this.#period.nextRenewalOf(caller));
    void this.#checkAndCache({ ...presented, isRenewal: true }).catch(() => undefined);
  }

  /** Authenticates a caller who is not cached: from the store, by the upstream, or from a stale entry. */
  async verify(presented: PresentedCredentials): Promise<Principal> {
    const now = this.parts.clock.monotonic();
    const { shared } = this.parts;
    const recalled = shared && !presented.isEmpty ? await this.#recallShared(presented, shared) : undefined;
    if (recalled !== undefined) return recalled;
    const old = this.#stale(presented.key);
    if (old !== undefined && now < old.renewFrom) return this.#recalled('stale', old);
    try {
      return (await this.#checkAndCache(presented)).principal;
    } catch (failure) {
      const isOutage = failure instanceof XPayAuthError && failure.trouble !== 'caller';
      const last = isOutage ? this.#stale(presented.key) : undefined;
      if (last === undefined) throw failure;
      this.#callers.postpone(presented.key, this.#period.nextRenewalOf(last));
      return this.#recalled('stale', last);
    }
  }

  /** Calls the next link, and once more if the user was revoked meanwhile. Caches nothing. */
  async authenticate(presented: PresentedCredentials): Promise<Verified> {
    const first = await this.#check(presented);
    if (!this.#isRevoked(first)) return first;
    const second = await this.#check(presented);
    if (!this.#isRevoked(second)) return second;
    throw rejection(this.parts.audit, presented, 'revoked during the check');
  }

  forgetUser(username: string): void {
    this.#callers.forgetUser(username);
  }

  forgetAll(): void {
    this.#callers.forgetAll();
  }

  async #checkAndCache(presented: PresentedCredentials): Promise<Verified> {
    const { shared, clock } = this.parts;
    const mark = shared?.mark();
    const verified = await (presented.isRenewal ? this.#check(presented) : this.authenticate(presented));
    if (this.#isRevoked(verified) || this.#isOvertaken(verified)) return verified;
    const { principal, askedAt: checkedAt, wallAheadMs, answeredAt, lifeMs } = verified;
    const endsAt = lifeMs === undefined ? Infinity : answeredAt + lifeMs - hardMargin(lifeMs);
    this.#cache(presented, { principal, checkedAt, wallAheadMs, endsAt });
    if (shared === undefined || mark === undefined) return verified;
    const periodMs = this.#period.lengthOf({ checkedAt, endsAt });
    const vouchedMs = endsAt === Infinity ? undefined : endsAt - checkedAt;
    const ageMs = clock.monotonic() - checkedAt;
    shared.remember(this.#sharedId(presented), { principal, mark, periodMs, vouchedMs, ageMs });
    return verified;
  }

  async #check(presented: PresentedCredentials): Promise<Verified> {
    const { next, shared, policy } = this.parts;
    const { key } = presented;
    try {
      const verified = await next.authenticate(presented);
      const { username } = verified.principal;
      if (!this.#isOvertaken(verified)) {
        this.#callers.keepOnly(username, key);
        shared?.accepted(username, key, verified.askedAt);
      }
      return verified;
    } catch (failure) {
      if (isRejection(failure)) {
        this.#callers.forget(key);
        shared?.refused(this.#sharedId(presented), key, policy.periodMs);
      }
      throw failure;
    }
  }

  /** Returns a caller that another instance has verified within the period, and caches it here. */
  async #recallShared(presented: PresentedCredentials, shared: SharedCredentials): Promise<Principal | undefined> {
    const { revocations, clock, policy } = this.parts;
    const mark = revocations.position();
    const found = await shared.recall(this.#sharedId(presented), presented.key);
    // A revocation on this instance during the read is newer than the stored entry.
    if (found === undefined || revocations.revokedSince(mark, found.principal.username)) return undefined;
    const { principal, ageMs, vouchedMs = Infinity } = found;
    if (ageMs >= policy.periodMs) return undefined;
    const now = clock.monotonic();
    const answer = { principal, checkedAt: now - ageMs, wallAheadMs: clock.now() - now, endsAt: now + vouchedMs };
    this.#cache(presented, answer);
    return this.#recalled('shared', answer);
  }

  #cache({ key }: PresentedCredentials, answer: Omit<CachedCaller, 'renewFrom'>): void {
    this.#callers.set(key, { ...answer, renewFrom: this.#period.renewalOf(answer) });
  }

  #recalled(level: 'shared' | 'stale', { principal }: Pick<CachedCaller, 'principal'>): Principal {
    this.parts.instrumentation.record({ type: 'recalled', what: 'credentials', level });
    return principal;
  }

  /** Returns a caller past the period who may still be authenticated during an outage. */
  #stale(key: string): CachedCaller | undefined {
    const caller = this.#callers.get(key);
    const holds = caller !== undefined && this.#period.holdsInTrouble(caller, this.parts.clock.monotonic());
    return holds ? caller : undefined;
  }

  #isRevoked({ mark, principal }: Verified): boolean {
    return this.parts.revocations.revokedSince(mark, principal.username);
  }

  /** Whether the cache has an answer for this user from a later call of the upstream. The later answer counts. */
  #isOvertaken({ askedAt, principal }: Verified): boolean {
    return (this.#callers.checkedAtOf(principal.username) ?? -Infinity) > askedAt;
  }

  /** Returns the text that identifies these credentials in the store. It includes the upstream that checks them. */
  #sharedId({ by, credentials }: PresentedCredentials): string {
    const { instance, dialect, baseUrl } = this.parts;
    const { username, secretKey } = credentials;
    return canonicalText({ instance, dialect, baseUrl, scheme: by.scheme.toLowerCase(), username, secretKey });
  }
}
