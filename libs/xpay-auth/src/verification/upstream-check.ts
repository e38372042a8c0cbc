import { LRUCache } from 'lru-cache';
import { deadline } from '../async/promises.js';
import type { Clock } from '../core/clock.js';
import type { Credentials } from '../core/credentials.js';
import { XPayAuthError, type XPayAuthErrorCode, asXPayAuthError } from '../core/errors.js';
import { lifeFromNow } from '../core/lifetime.js';
import type { Grant, Purpose } from '../core/ports.js';
import { Principal, type ScopeHierarchy, expandScopes } from '../core/principal.js';
import { type Authenticator, type PresentedCredentials, type Verified, isRejection } from './presented-credentials.js';

export interface UpstreamCheckParts {
  readonly instance: string;
  /** Of the principals of this instance. */
  readonly issuer: symbol;
  readonly clock: Clock;
  readonly policy: {
    /** Ms that one check may take. */
    readonly deadlineMs: number;
  };
  readonly scopeHierarchy: ScopeHierarchy;
  readonly authenticate: (credentials: Credentials, purpose: Purpose, signal: AbortSignal) => Promise<Grant>;
  readonly revocations: Revocations;
  /** Receives each check that the upstream neither accepted nor rejected. */
  readonly onUndecided?: ((failure: XPayAuthError, presented: PresentedCredentials) => void) | undefined;
}

/** The last check that the upstream neither accepted nor rejected. */
export interface VerificationFailure {
  readonly code: XPayAuthErrorCode;
  /** Ms since then. */
  readonly ageMs: number;
}

/**
 * Last link: calls the upstream within a deadline, detached from the callers who wait, and turns its grant into a principal.
 */
export class UpstreamCheck implements Authenticator {
  /** Ends each check under way. */
  readonly #underWay = new Set<AbortController>();
  #stopped: XPayAuthError | undefined;
  #failed: { readonly code: XPayAuthErrorCode; readonly at: number } | undefined;

  constructor(private readonly parts: UpstreamCheckParts) {}

  /** `undefined` when the upstream accepted or rejected the last credentials. */
  get failure(): VerificationFailure | undefined {
    return this.#failed && { code: this.#failed.code, ageMs: this.parts.clock.monotonic() - this.#failed.at };
  }

  async authenticate(presented: PresentedCredentials): Promise<Verified> {
    try {
      const verified = await this.#check(presented);
      this.#failed = undefined;
      return verified;
    } catch (thrown) {
      const failure = judged(thrown);
      const isDecided = isRejection(failure);
      this.#failed = isDecided ? undefined : { code: failure.code, at: this.parts.clock.monotonic() };
      if (!isDecided) this.parts.onUndecided?.(failure, presented);
      throw failure;
    }
  }

  /** Ends every check under way. */
  stop(): void {
    const reason = (this.#stopped ??= new XPayAuthError('shutting_down', 'The application is shutting down'));
    for (const check of this.#underWay) check.abort(reason);
  }

  async #check({ credentials, purpose }: PresentedCredentials): Promise<Verified> {
    const { clock, policy, revocations, authenticate } = this.parts;
    if (this.#stopped !== undefined) throw this.#stopped;
    const check = new AbortController();
    this.#underWay.add(check);
    try {
      const [mark, askedAt] = [revocations.position(), clock.monotonic()];
      const wallAheadMs = clock.now() - askedAt;
      const within = { clock, ms: policy.deadlineMs, signal: check.signal };
      const grant = await deadline(within, (signal) => authenticate(credentials, purpose, signal));
      const answeredAt = clock.monotonic();
      const { accessToken, lifeMs: statedLifeMs, upstreamNow } = grant;
      const facts = { expiresAt: accessToken.expiresAt, lifeMs: statedLifeMs, upstreamNow };
      // Throws for an invalid expiry: a grant that has expired authenticates no one.
      const lifeMs = lifeFromNow({ ...facts, elapsedMs: answeredAt - askedAt }, clock.now());
      return { principal: this.#principalOf(grant), grant, mark, askedAt, wallAheadMs, answeredAt, lifeMs };
    } finally {
      this.#underWay.delete(check);
    }
  }

  #principalOf({ username, scopes, isAPI, accessToken: { expiresAt } }: Grant): Principal {
    const { instance, issuer, scopeHierarchy } = this.parts;
    return new Principal(
      { username, scopes: expandScopes(scopes, scopeHierarchy), isAPI, expiresAt, instance },
      issuer,
    );
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
