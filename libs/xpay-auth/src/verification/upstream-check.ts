import { LRUCache } from 'lru-cache';
import { deadline } from '../async/promises.js';
import type { AuditSink } from '../core/audit-events.js';
import type { Credentials } from '../core/credentials.js';
import { XPayAuthError, type XPayAuthErrorCode, asXPayAuthError } from '../core/errors.js';
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
} from './presented-credentials.js';
import { UpstreamCooldowns, type UpstreamCooldownsParts } from './upstream-cooldowns.js';

export interface UpstreamCheckParts extends UpstreamCooldownsParts {
  readonly instance: string;
  /** Of the principals of this instance. */
  readonly issuer: symbol;
  readonly policy: UpstreamCooldownsParts['policy'] & {
    /** Ms that one check may take. */
    readonly deadlineMs: number;
  };
  readonly scopeHierarchy: ScopeHierarchy;
  readonly attempts: Attempts;
  readonly authenticate: (credentials: Credentials, purpose: Purpose, signal: AbortSignal) => Promise<Grant>;
  readonly revocations: Revocations;
  readonly audit: AuditSink;
  /** Receives each check that the upstream neither accepted nor rejected. */
  readonly onUndecided?: ((failure: XPayAuthError, presented: PresentedCredentials) => void) | undefined;
}

/** The last check that the upstream neither accepted nor rejected. */
export interface VerificationFailure {
  readonly code: XPayAuthErrorCode;
  /** Ms since then. */
  readonly ageMs: number;
}

/** Counted credentials that are kept at once. Beyond it the least recent ones are dropped, and counted again. */
const MOST_COUNTED = 1_000;

/**
 * Ms within which the same rejected credentials cost one attempt. A forgotten job with an old password does not guess, and must
 * not use up the attempts of the user whose name it sends.
 */
const COUNTED_ONCE_IN_MS = 3_600_000;

/**
 * Last link: reserves one attempt, calls the upstream within a deadline, detached from the callers who wait, and turns its grant
 * into a principal. The attempt is given back unless the answer is a rejection or a 429. During a cooldown, and beyond a limit of
 * the queue, the upstream is not called.
 */
export class UpstreamCheck implements Authenticator {
  /** Ends each check under way. */
  readonly #underWay = new Set<AbortController>();
  /** Created when the upstream first fails. */
  #cooldowns: UpstreamCooldowns | undefined;
  /** When credentials last cost an attempt, by {@link PresentedCredentials.checkKey}. */
  readonly #countedAt = new LRUCache<string, number>({ max: MOST_COUNTED });
  #stopped: XPayAuthError | undefined;
  #lastFailure: { readonly code: XPayAuthErrorCode; readonly at: number } | undefined;

  constructor(private readonly parts: UpstreamCheckParts) {}

  /** `undefined` when the upstream accepted or rejected the last credentials. */
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
      throw await this.#failed(presented, attempt, judged(thrown));
    }
    this.#lastFailure = undefined;
    this.#cooldowns?.answered(by);
    await attempt.succeeded();
    audit({ type: 'verified', purpose, ...by, reference: verified.grant.reference });
    return verified;
  }

  /** Ends every check under way. */
  stop(): void {
    const reason = (this.#stopped ??= new XPayAuthError('shutting_down', 'The application is shutting down'));
    for (const check of this.#underWay) check.abort(reason);
  }

  /** Gives the attempt back and throws if the check may not begin now. */
  async #admit(presented: PresentedCredentials, attempt: ReservedAttempt): Promise<void> {
    const { by, isRenewal, admit } = presented;
    const isTrusted = (): Promise<boolean> => attempt.isFromTrustedAddress();
    try {
      const objection = isRenewal
        ? this.#cooldowns?.objectionToRenewal()
        : await this.#cooldowns?.objectionToGuess(by, isTrusted);
      if (objection !== undefined) throw objection;
      await admit?.(isTrusted);
    } catch (thrown) {
      await attempt.refund();
      throw thrown instanceof ReservationsOpen ? thrown : this.#undecided(presented, thrown as XPayAuthError);
    }
  }

  async #call({ credentials, purpose }: PresentedCredentials): Promise<Verified> {
    const { clock, instance, issuer, policy, revocations, scopeHierarchy, authenticate } = this.parts;
    if (this.#stopped !== undefined) throw this.#stopped;
    const check = new AbortController();
    this.#underWay.add(check);
    try {
      const [mark, askedAt] = [revocations.position(), clock.monotonic()];
      const wallAheadMs = clock.now() - askedAt;
      const within = { clock, ms: policy.deadlineMs, signal: check.signal };
      const grant = await deadline(within, (signal) => authenticate(credentials, purpose, signal));
      const answeredAt = clock.monotonic();
      const { username, isAPI, accessToken, lifeMs: statedLifeMs, upstreamNow } = grant;
      const { expiresAt } = accessToken;
      // Throws for an invalid expiry: a grant that has expired authenticates no one.
      const facts = { expiresAt, lifeMs: statedLifeMs, upstreamNow, elapsedMs: answeredAt - askedAt };
      const lifeMs = lifeFromNow(facts, clock.now());
      const scopes = expandScopes(grant.scopes, scopeHierarchy);
      const principal = new Principal({ username, scopes, isAPI, expiresAt, instance }, issuer);
      return { principal, grant, mark, askedAt, wallAheadMs, answeredAt, lifeMs };
    } finally {
      this.#underWay.delete(check);
    }
  }

  /** Settles the attempt after a call that did not end with a principal. Returns the error to throw. */
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
    // A 429 may depend on the guess, so it counts for this username. It may also concern the whole app, so it counts neither for
    // the address, which other callers share, nor for a user who was authenticated from this address.
    if (failure.code === 'upstream_rate_limited' && !(await attempt.isFromTrustedAddress())) {
      await this.#count(presented, attempt, 'refundAddress');
    } else await attempt.refund();
    return this.#undecided(presented, failure);
  }

  /** Settles the attempt as failed. Refunds all of it if the same credentials were counted recently. */
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

  #undecided({ by, purpose }: PresentedCredentials, failure: XPayAuthError): XPayAuthError {
    const { code: reason, reference } = failure;
    this.parts.audit({ type: 'undecided', purpose, ...by, reason, reference });
    return failure;
  }
}

/** A dialect rejects, or it fails. Any other code that blames the caller, such as `invalid_token`, would log people out. */
function judged(thrown: unknown): XPayAuthError {
  const failure = asXPayAuthError(thrown, 'upstream_malformed', 'The dialect failed in an unexpected way');
  if (failure.trouble !== 'caller' || isRejection(failure)) return failure;
  return new XPayAuthError('upstream_malformed', `The dialect answered ${failure.code}`, { cause: failure });
}

/** A position in the order of revocations. A revocation ends every check and session that began at an earlier one. */
export type RevocationPosition = number;

/** Revoked users that are kept. Beyond it all users are revoked, which is safe. */
const MOST_USERS = 10_000;

/**
 * The revocations of one instance, in an order of their own rather than by time: a check or a session that began before a
 * revocation is over, however late its answer arrives.
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

  /** Returns the current position. Read it before the upstream is called. */
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
