import { callerText } from '../core/cache-key.js';
import { flawOf } from '../core/credentials.js';
import { XPayAuthError } from '../core/errors.js';
import { hardMargin } from '../core/freshness.js';
import type { Purpose } from '../core/ports.js';
import type { Principal } from '../core/principal.js';
import { Instrumentation } from '../core/instrumentation.js';
import { VerificationPeriod, type PeriodPolicy } from './verification-period.js';
import { type PresentedCredentials, checkText } from './presented-credentials.js';
import { type CachedCaller, CredentialCache } from './credential-cache.js';
import type { LogPosition } from '../cluster/revocation-log.js';
import type { SharedCredentials } from '../cluster/shared-credentials.js';
import {
  type CheckKind,
  type CheckPolicy,
  UpstreamCheck,
  type UpstreamCheckParts,
  type VerificationFailure,
  type Verified,
} from './upstream-check.js';

/** The option `verification`, resolved. */
export interface VerificationPolicy extends PeriodPolicy, CheckPolicy {
  /** Accepted callers that are remembered at once. */
  readonly maxEntries: number;
}

/** What a credential verifier is made of. */
export interface CredentialVerifierParts extends UpstreamCheckParts {
  readonly policy: VerificationPolicy;
  /** Where what was verified is shared with other instances. */
  readonly shared?: SharedCredentials | undefined;
}

/**
 * Tells who presents these credentials, asking the upstream at most once a period for each of them. What the upstream
 * accepted is remembered by a digest, what it refused in a table of its own, trouble not at all.
 */
export class CredentialVerifier {
  readonly #remembered: CredentialCache;
  readonly #upstream: UpstreamCheck;
  readonly #period: VerificationPeriod;
  readonly #instrumentation: Instrumentation;
  #hits = 0;

  constructor(private readonly parts: CredentialVerifierParts) {
    this.#remembered = new CredentialCache(parts.policy.maxEntries, parts);
    this.#upstream = new UpstreamCheck(parts);
    this.#period = new VerificationPeriod(parts);
    this.#instrumentation = parts.instrumentation ?? new Instrumentation();
  }

  /** What troubles the checks at the upstream; `undefined` when the last one was answered. */
  get trouble(): VerificationFailure | undefined {
    return this.#upstream.trouble;
  }

  /** How often a remembered caller was let in without a question to the upstream. */
  get hits(): number {
    return this.#hits;
  }

  /**
   * A caller of the present period, by the digest of the header; `now` on the monotonic clock. Calls nobody. From
   * `renewFrom` on {@link renewBehind} is to be called.
   */
  recall(key: string, now: number): CachedCaller | undefined {
    const caller = this.#remembered.get(key);
    if (caller === undefined || !this.#period.holds(caller, now)) return undefined;
    this.#hits++;
    return caller;
  }

  /** Checks a remembered caller again while it goes on; only a refusal ends it early. */
  renewBehind(caller: CachedCaller, presented: PresentedCredentials): void {
    // No room now: the next request of this caller tries again, so that a flood cannot make it miss its renewal.
    if (!this.#upstream.hasRoomFor('renewal')) return;
    this.#remembered.postpone(this.#keyOf(presented), this.#period.nextRenewalOf(caller));
    // Was right a moment ago, so it is no guess: a stranger who used up the attempts does not end a remembered caller.
    const mark = this.parts.shared?.mark();
    this.#check(presented, 'verification', 'renewal').then(
      (verified) => this.#remember(verified, presented, mark),
      () => undefined,
    );
  }

  /** Who presents these: remembered, or by asking the upstream. */
  async verify(presented: PresentedCredentials): Promise<Principal> {
    const act = { type: 'verify', scheme: presented.scheme } as const;
    // What no upstream would be asked about is not looked up either: an ill-formed name has no digest of its own.
    if (flawOf(presented.credentials) !== undefined) {
      return this.#instrumentation.observe(act, async () => (await this.#check(presented, 'verification')).principal);
    }
    const key = this.#keyOf(presented);
    const now = this.parts.clock.monotonic();
    const caller = this.recall(key, now);
    if (caller !== undefined) {
      if (now >= caller.renewFrom) this.renewBehind(caller, presented);
      return caller.principal;
    }
    return this.#instrumentation.observe(act, () => this.#findOut(key, now, presented));
  }

  async #findOut(key: string, now: number, presented: PresentedCredentials): Promise<Principal> {
    const shared = await this.#recallShared(presented);
    if (shared !== undefined) return shared;
    const old = this.#stale(key);
    if (old !== undefined && now < old.renewFrom) return this.#goOn(old);
    const mark = this.parts.shared?.mark();
    try {
      const verified = await this.#checkUnrevoked(presented, 'verification');
      this.#remember(verified, presented, mark);
      return verified.principal;
    } catch (failure) {
      const last = isTrouble(failure) ? this.#stale(key) : undefined;
      if (last === undefined) throw failure;
      this.#remembered.postpone(key, this.#period.nextRenewalOf(last));
      return this.#goOn(last);
    }
  }

  /** Who presents these, and what the upstream grants them: for a login, which is never answered from memory. */
  login(presented: PresentedCredentials): Promise<Verified> {
    return this.#checkUnrevoked(presented, 'login');
  }

  /** What is remembered of this user, by the upstream's name for them, is over. */
  forgetUser(username: string): void {
    this.#remembered.forgetUser(username);
  }

  forgetAll(): void {
    this.#remembered.forgetAll();
  }

  /** Ends every check under way. */
  stop(): void {
    this.#upstream.stop();
  }

  /** A user who is revoked while the upstream thinks is asked for once more: its answer is from before. */
  async #checkUnrevoked(presented: PresentedCredentials, purpose: Purpose): Promise<Verified> {
    const first = await this.#check(presented, purpose);
    if (!this.#isRevoked(first)) return first;
    const second = await this.#check(presented, purpose);
    if (!this.#isRevoked(second)) return second;
    throw this.#upstream.refusal(presented, 'revoked during the check');
  }

  /** Whatever asked: a refusal ends what is remembered of these credentials, an acceptance the user's other ones. */
  async #check(presented: PresentedCredentials, purpose: Purpose, kind: CheckKind = 'guess'): Promise<Verified> {
    try {
      const verified = await this.#upstream.run(presented, purpose, kind);
      const { username } = verified.principal;
      if (!this.#isOvertaken(verified)) {
        this.#remembered.keepOnly(username, this.#keyOf(presented));
        this.parts.shared?.accepted(username, this.#keyOf(presented), verified.askedAt);
      }
      return verified;
    } catch (failure) {
      if (failure instanceof XPayAuthError && failure.code === 'invalid_credentials') {
        this.#remembered.forget(this.#keyOf(presented));
        this.parts.shared?.refused(
          checkText(this.parts, presented),
          this.#keyOf(presented),
          this.parts.policy.periodMs,
        );
      }
      throw failure;
    }
  }

  #remember(verified: Verified, presented: PresentedCredentials, mark: LogPosition | undefined): void {
    if (this.#isRevoked(verified) || this.#isOvertaken(verified)) return;
    const { principal, askedAt: checkedAt, wallAheadMs, answeredAt, lifeMs } = verified;
    const endsAt = lifeMs === undefined ? Infinity : answeredAt + lifeMs - hardMargin(lifeMs);
    const renewFrom = this.#period.renewalOf({ checkedAt, endsAt });
    const caller = { principal, checkedAt, wallAheadMs, endsAt, renewFrom };
    this.#remembered.set(this.#keyOf(presented), caller);
    this.#share(presented, mark, caller);
  }

  /** What another instance has verified within the period; remembered here too. */
  async #recallShared(presented: PresentedCredentials): Promise<Principal | undefined> {
    const { shared, revocations, clock, policy } = this.parts;
    if (shared === undefined) return undefined;
    const mark = revocations.position();
    const found = await shared.recall(checkText(this.parts, presented), this.#keyOf(presented));
    // What this instance has asked itself meanwhile, or heard of, is newer.
    if (found === undefined || revocations.revokedSince(mark, found.principal.username)) return undefined;
    const { principal, ageMs, vouchedMs = Infinity } = found;
    if (ageMs >= policy.periodMs) return undefined;
    const now = clock.monotonic();
    const [checkedAt, endsAt] = [now - ageMs, now + vouchedMs];
    const renewFrom = this.#period.renewalOf({ checkedAt, endsAt });
    const wallAheadMs = clock.now() - now;
    this.#remembered.set(this.#keyOf(presented), { principal, checkedAt, wallAheadMs, endsAt, renewFrom });
    this.#instrumentation.record({ type: 'recalled', what: 'credentials', level: 'shared' });
    return principal;
  }

  #goOn({ principal }: CachedCaller): Principal {
    this.#instrumentation.record({ type: 'recalled', what: 'credentials', level: 'stale' });
    return principal;
  }

  #share(presented: PresentedCredentials, mark: LogPosition | undefined, caller: CachedCaller): void {
    const { shared, clock } = this.parts;
    if (shared === undefined || mark === undefined) return;
    const { principal, checkedAt, endsAt } = caller;
    const now = clock.monotonic();
    const periodMs = this.#period.lengthOf(caller);
    const vouchedMs = endsAt === Infinity ? undefined : endsAt - checkedAt;
    shared.remember(checkText(this.parts, presented), { principal, mark, periodMs, vouchedMs, ageMs: now - checkedAt });
  }

  /** A caller past the period who may still be let in while the upstream is in trouble. */
  #stale(key: string): CachedCaller | undefined {
    const caller = this.#remembered.get(key);
    return caller !== undefined && this.#period.holdsInTrouble(caller, this.parts.clock.monotonic())
      ? caller
      : undefined;
  }

  #isRevoked({ mark, principal }: Verified): boolean {
    return this.parts.revocations.revokedSince(mark, principal.username);
  }

  /** The upstream was asked about this user again since, so its later word holds. */
  #isOvertaken({ askedAt, principal }: Verified): boolean {
    return (this.#remembered.checkedAtOf(principal.username) ?? -Infinity) > askedAt;
  }

  #keyOf({ credentials }: PresentedCredentials): string {
    return this.parts.digest.of(callerText(credentials));
  }
}

function isTrouble(failure: unknown): boolean {
  return failure instanceof XPayAuthError && failure.trouble !== 'caller';
}
