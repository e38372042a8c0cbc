import { LRUCache } from 'lru-cache';
import { deadline } from '../async/promises.js';
import type { AuditSink } from '../core/audit-events.js';
import type { Credentials } from '../core/credentials.js';
import { XPayAuthError, type XPayAuthErrorCode, asXPayAuthError, shuttingDown } from '../core/errors.js';
import { lifeFromNow } from '../core/lifetime.js';
import type { Grant, Purpose } from '../core/ports.js';
import { Principal, type ScopeHierarchy, expandScopes } from '../core/principal.js';
import type { Attempts, ReservedAttempt } from '../rate-limit/attempts.js';
import {
  type Authenticator,
  type PresentedCredentials,
  ReservationsOpen,
  type Verified,
  isRejection,
  rejection,
  undecided,
} from './presented-credentials.js';
import { UpstreamCooldowns, type UpstreamCooldownsParts } from './upstream-cooldowns.js';

export interface UpstreamCheckParts extends UpstreamCooldownsParts {
  readonly instance: string;
  /** Issuer of the principals of this instance. */
  readonly issuer: symbol;
  readonly policy: UpstreamCooldownsParts['policy'] & {
    /** Deadline of one check in ms. */
    readonly deadlineMs: number;
  };
  readonly scopeHierarchy: ScopeHierarchy;
  readonly attempts: Attempts;
  readonly authenticate: (credentials: Credentials, purpose: Purpose, signal: AbortSignal) => Promise<Grant>;
  readonly revocations: Revocations;
  readonly audit: AuditSink;
  /** Called after each undecided check, which the upstream neither accepted nor rejected. */
  readonly onUndecided?: ((failure: XPayAuthError, presented: PresentedCredentials) => void) | undefined;
}

/** The failure of the last check, if the check was undecided. */
export interface VerificationFailure {
  readonly code: XPayAuthErrorCode;
  /** Ms since the failure. */
  readonly ageMs: number;
}

/**
 * Maximum number of credentials whose last counted attempt is kept. Beyond the maximum, the least recently used credentials are
 * evicted, and count again.
 */
const MOST_COUNTED = 1_000;

/**
 * Ms within which the same rejected credentials count as one attempt. Otherwise a forgotten job with an old password, which does
 * not guess, would use up the attempts of its user.
 */
const COUNTED_ONCE_IN_MS = 3_600_000;

/**
 * Last link: reserves one attempt, calls the upstream within a deadline, and creates the principal from the upstream's grant. The
 * call continues even if all waiting callers leave. The attempt is refunded unless the answer is a rejection or a 429. During a
 * cooldown, and when a limit of the queue is reached, the upstream is not called.
 */
export class UpstreamCheck implements Authenticator {
  /** Aborts all checks in progress. */
  readonly #stop = new AbortController();
  /** The cooldowns. `undefined` until the upstream fails for the first time. */
  #cooldowns: UpstreamCooldowns | undefined;
  /** Time when credentials were last counted as a failed attempt, by {@link PresentedCredentials.checkKey}. */
  readonly #countedAt = new LRUCache<string, number>({ max: MOST_COUNTED });
  #lastFailure: { readonly code: XPayAuthErrorCode; readonly at: number } | undefined;

  constructor(private readonly parts: UpstreamCheckParts) {}

  /** The failure of the last check. `undefined` if the upstream accepted or rejected the last credentials. */
  get failure(): VerificationFailure | undefined {
    const last = this.#lastFailure;
    return last && { code: last.code, ageMs: this.parts.clock.monotonic() - last.at };
  }

  async authenticate(presented: PresentedCredentials): Promise<Verified> {
    const { attempts, audit } = this.parts;
    const { by, purpose, isEmpty, isRenewal } = presented;
    if (isEmpty) {
      await this.#count(presented, attempts.reserveEmpty(by));
      throw rejection(audit, presented, 'empty user name or secret');
    }
    const attempt = isRenewal ? attempts.free(by) : await attempts.reserve(by);
    if (attempt === undefined) throw new ReservationsOpen();
    await this.#admit(presented, attempt);
    let verified: Verified;
    try {
      verified = await this.#call(presented);
    } catch (thrown) {
      throw await this.#failed(presented, attempt, asCheckFailure(thrown));
    }
    this.#lastFailure = undefined;
    this.#cooldowns?.answered(by);
    await attempt.succeeded();
    audit({ type: 'verified', purpose, ...by, reference: verified.grant.reference });
    return verified;
  }

  /** Aborts all checks in progress. */
  stop(): void {
    this.#stop.abort(shuttingDown());
  }

  /** If the check may not begin now, refunds the attempt and throws. */
  async #admit(presented: PresentedCredentials, attempt: ReservedAttempt): Promise<void> {
    const { by, isRenewal, admit } = presented;
    const isTrusted = (): Promise<boolean> => attempt.isFromTrustedAddress();
    try {
      if (this.#cooldowns !== undefined) {
        const objection = isRenewal
          ? this.#cooldowns.objectionToRenewal()
          : await this.#cooldowns.objectionToGuess(by, isTrusted);
        if (objection !== undefined) throw objection;
      }
      const admission = admit?.(isTrusted);
      if (admission !== undefined) await admission;
    } catch (thrown) {
      await attempt.refund();
      throw thrown instanceof ReservationsOpen
        ? thrown
        : undecided(this.parts.audit, presented, thrown as XPayAuthError);
    }
  }

  async #call({ credentials, purpose }: PresentedCredentials): Promise<Verified> {
    const { clock, instance, issuer, policy, revocations, scopeHierarchy, authenticate } = this.parts;
    const [mark, askedAt] = [revocations.position(), clock.monotonic()];
    const wallAheadMs = clock.now() - askedAt;
    const within = { clock, ms: policy.deadlineMs, signal: this.#stop.signal };
    const grant = await deadline(within, (signal) => authenticate(credentials, purpose, signal));
    const answeredAt = clock.monotonic();
    const { username, isAPI, accessToken, lifeMs: statedLifeMs, upstreamNow } = grant;
    const { expiresAt } = accessToken;
    // `lifeFromNow` throws for an invalid expiry, because a caller whose grant has expired is not authenticated.
    const facts = { expiresAt, lifeMs: statedLifeMs, upstreamNow, elapsedMs: answeredAt - askedAt };
    const lifeMs = lifeFromNow(facts, clock.now());
    const scopes = expandScopes(grant.scopes, scopeHierarchy);
    const principal = new Principal({ username, scopes, isAPI, expiresAt, instance }, issuer);
    return { principal, grant, mark, askedAt, wallAheadMs, answeredAt, lifeMs };
  }

  /** Settles the attempt after a check that did not return a principal. Returns the error to throw. */
  async #failed(
    presented: PresentedCredentials,
    attempt: ReservedAttempt,
    failure: XPayAuthError,
  ): Promise<XPayAuthError> {
    const { audit, clock, onUndecided } = this.parts;
    const isRejected = isRejection(failure);
    this.#lastFailure = isRejected ? undefined : { code: failure.code, at: clock.monotonic() };
    if (!isRejected) onUndecided?.(failure, presented);
    if (failure.trouble === 'upstream') this.#cooldowns ??= new UpstreamCooldowns(this.parts);
    this.#cooldowns?.failed(failure, presented.by);
    if (isRejected) {
      await this.#count(presented, attempt);
      return rejection(audit, presented, 'the upstream does not accept them', failure);
    }
    // A 429 may be the answer to a wrong guess, so it counts for this username. It may also concern the whole app. Therefore it
    // counts neither for the address, which other callers may share, nor if the address is trusted for the user.
    if (failure.code === 'upstream_rate_limited' && !(await attempt.isFromTrustedAddress())) {
      await this.#count(presented, attempt, 'refundAddress');
    } else await attempt.refund();
    return undecided(audit, presented, failure);
  }

  /** Counts the attempt as failed. Refunds the attempt completely if the same credentials were counted within the last hour. */
  async #count(
    { checkKey }: PresentedCredentials,
    attempt: ReservedAttempt,
    how: 'failed' | 'refundAddress' = 'failed',
  ): Promise<void> {
    const now = this.parts.clock.monotonic();
    const countedAt = this.#countedAt.get(checkKey) ?? -Infinity;
    if (now - countedAt < COUNTED_ONCE_IN_MS) return attempt.refund();
    this.#countedAt.set(checkKey, now);
    await attempt[how]();
  }
}

/**
 * Returns the error of a dialect. If the code blames the caller but is not a rejection, such as `invalid_token`, returns
 * `upstream_malformed` instead, because the original code would log out the caller.
 */
function asCheckFailure(thrown: unknown): XPayAuthError {
  const failure = asXPayAuthError(thrown, 'upstream_malformed', 'The dialect failed in an unexpected way');
  if (failure.trouble !== 'caller' || isRejection(failure)) return failure;
  return new XPayAuthError('upstream_malformed', `The dialect answered ${failure.code}`, { cause: failure });
}

/** A position in the order of revocations. A revocation ends every check and session that began at an earlier position. */
export type RevocationPosition = number;

/**
 * Maximum number of revoked users that are kept. If a user is evicted, all users are revoked up to the position of the evicted
 * revocation, which is safe.
 */
const MOST_USERS = 10_000;

/**
 * The revocations of one instance. They are numbered and not ordered by time. A check or session that began before a revocation
 * of its user ends, even if the answer of the check arrives late.
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

  /** Returns the current position. Call this method before the upstream is called. */
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

  /** Whether this user was revoked after this position. */
  revokedSince(mark: RevocationPosition, username: string): boolean {
    return this.#everybodyAt > mark || (this.#users.get(username) ?? 0) > mark;
  }
}
