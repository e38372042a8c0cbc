import type { Clock } from '../core/clock.js';
import { type Credentials, flawOf } from '../core/credentials.js';
import type { KeyedDigest } from '../core/digest.js';
import { XPayAuthError, type XPayAuthErrorCode, asXPayAuthError } from '../core/errors.js';
import { lifeFromNow } from '../core/lifetime.js';
import type { Grant, Purpose } from '../core/ports.js';
import { Principal } from '../core/principal.js';
import type { Range } from '../core/refresh-policy.js';
import { type ScopeHierarchy, expandScopes } from '../core/scopes.js';
import { Instrumentation } from '../core/instrumentation.js';
import type { Attempts, ReservedAttempt } from '../rate-limit/attempts.js';
import type { AuditSink } from '../core/audit-events.js';
import { type CheckingPlace, type PresentedCredentials, attempted, checkText } from './presented-credentials.js';
import { NegativeCache } from './negative-cache.js';
import type { RevocationPosition, Revocations } from './revocations.js';
import { deadline } from '../async/deadline.js';
import { SingleFlight } from '../async/single-flight.js';
import { UpstreamCooldowns } from './upstream-cooldowns.js';

/** What a check brings: who it is and what the upstream grants. Times are on the monotonic clock. */
export interface Verified {
  readonly principal: Principal;
  readonly grant: Grant;
  /** When in the order of revocations the upstream was asked. */
  readonly mark: RevocationPosition;
  readonly askedAt: number;
  /** By how many ms the wall clock was ahead of the monotonic one when the upstream was asked. */
  readonly wallAheadMs: number;
  readonly answeredAt: number;
  /** Ms from `answeredAt` for which the upstream vouches; `undefined` when it does not say. */
  readonly lifeMs: number | undefined;
}

/** A renewal is of what was right a moment ago: it costs no attempt, and strangers cannot take all the places. */
export type CheckKind = 'guess' | 'renewal';

export interface CheckPolicy {
  /** Ms for which refused credentials are refused without another question. */
  readonly refusedPeriodMs: number;
  /** Checks at the upstream at once. */
  readonly maxConcurrent: number;
  /** Ms that one check may take. */
  readonly deadlineMs: number;
  /** Ms for which the upstream is not called after a 429 or a 503 with `Retry-After`. @default { min: 1_000, max: 60_000 } */
  readonly cooldownMs?: Range;
}

export interface UpstreamCheckParts extends CheckingPlace {
  /** Marks the principals of this instance as its own. */
  readonly issuer: symbol;
  readonly clock: Clock;
  readonly digest: KeyedDigest;
  readonly policy: CheckPolicy;
  readonly scopeHierarchy: ScopeHierarchy;
  readonly authenticate: (credentials: Credentials, purpose: Purpose, signal: AbortSignal) => Promise<Grant>;
  readonly attempts: Attempts;
  readonly revocations: Revocations;
  readonly audit: AuditSink;
  readonly instrumentation?: Instrumentation | undefined;
}

/** Trouble of late: nobody can be verified, or nobody could. */
export interface VerificationFailure {
  readonly code: XPayAuthErrorCode;
  /** Ms since then. */
  readonly ageMs: number;
}

/** This share of the places, at least one where there is more than one, is for renewals alone. */
const KEPT_FOR_RENEWALS = 1 / 4;

/**
 * Puts one pair of credentials to the upstream: once at a time, however many wait for the answer, detached from each of
 * them, within a deadline, and not at all when it refused the same pair a moment ago. Unknown users and wrong secrets take
 * the same way through here; nothing is known of users locally.
 */
export class UpstreamCheck {
  readonly #flights: SingleFlight<Verified>;
  readonly #refused: NegativeCache;
  /** What ends each check under way. */
  readonly #underWay = new Set<AbortController>();
  readonly #placesForGuesses: number;
  #guesses = 0;
  readonly #cooldowns: UpstreamCooldowns;
  #stopped: XPayAuthError | undefined;
  /** What the last check failed with, and when; nothing once the upstream has said yes or no. */
  #trouble: { readonly code: XPayAuthErrorCode; readonly at: number } | undefined;

  constructor(private readonly parts: UpstreamCheckParts) {
    const { refusedPeriodMs, maxConcurrent } = parts.policy;
    const instrumentation = parts.instrumentation ?? new Instrumentation();
    this.#flights = new SingleFlight(() => instrumentation.record({ type: 'joined', flight: 'verification' }));
    this.#refused = new NegativeCache(refusedPeriodMs);
    this.#cooldowns = new UpstreamCooldowns(parts);
    this.#placesForGuesses = Math.max(1, maxConcurrent - Math.max(1, Math.floor(maxConcurrent * KEPT_FOR_RENEWALS)));
  }

  /** What troubles the checks; `undefined` when the last one was answered. */
  get trouble(): VerificationFailure | undefined {
    const { code, at } = this.#trouble ?? {};
    return code === undefined || at === undefined ? undefined : { code, ageMs: this.parts.clock.monotonic() - at };
  }

  /** Whether one more check of this kind may begin. */
  hasRoomFor(kind: CheckKind): boolean {
    if (this.#underWay.size >= this.parts.policy.maxConcurrent) return false;
    return kind === 'renewal' || this.#guesses < this.#placesForGuesses;
  }

  /**
   * Asks, or joins who is asking. Throws `invalid_credentials` and `invalid_request`; `too_many_attempts`; `overloaded`;
   * `shutting_down`; and the upstream's trouble.
   */
  async run(presented: PresentedCredentials, purpose: Purpose, kind: CheckKind = 'guess'): Promise<Verified> {
    const { clock, digest } = this.parts;
    const flaw = flawOf(presented.credentials);
    if (flaw !== undefined && flaw !== 'empty') throw this.#unusable(presented, flaw);
    // An upstream may refuse a person's login to an account that is for machines, and accept the same pair otherwise.
    const key = `${purpose} ${digest.of(checkText(this.parts, presented))}`;
    if (this.#refused.has(key, clock.monotonic())) throw this.refusal(presented, 'refused a moment ago');
    if (flaw === 'empty') throw await this.#refuseEmpty(key, presented);
    return this.#flights.run(key, () => this.#pay(key, presented, purpose, kind));
  }

  /** A refusal, told to the auditor. */
  refusal(presented: PresentedCredentials, reason: string, failure?: XPayAuthError): XPayAuthError {
    const reference = failure?.reference;
    this.parts.audit({ type: 'refused', ...attempted(presented), reason, reference });
    return new XPayAuthError('invalid_credentials', `The credentials were refused: ${reason}`, { reference });
  }

  /** Ends every check under way. */
  stop(): void {
    const reason = (this.#stopped ??= new XPayAuthError('shutting_down', 'The application is shutting down'));
    for (const check of this.#underWay) check.abort(reason);
  }

  /** Nobody needs to be asked; counted like any other wrong secret, and as seldom when it comes again. */
  async #refuseEmpty(key: string, presented: PresentedCredentials): Promise<XPayAuthError> {
    const attempt = await this.parts.attempts.reserve(attempted(presented));
    if (!this.#refused.add(key, this.parts.clock.monotonic())) await attempt.refund();
    return this.refusal(presented, 'empty user name or secret');
  }

  /** One attempt is reserved before the upstream is called, and given back unless the answer is a refusal or a 429. */
  async #pay(key: string, presented: PresentedCredentials, purpose: Purpose, kind: CheckKind): Promise<Verified> {
    const { attempts, audit, clock } = this.parts;
    const by = attempted(presented);
    const attempt: ReservedAttempt = kind === 'guess' ? await attempts.reserve(by) : attempts.free(by);
    const objection =
      kind === 'guess'
        ? await this.#cooldowns.objectionToGuess(by, () => attempt.isFromTrustedAddress())
        : this.#cooldowns.objectionToRenewal();
    if (objection !== undefined) {
      await attempt.refund();
      throw this.#undecided(presented, purpose, objection);
    }
    try {
      const verified = await this.#ask(presented.credentials, purpose, kind);
      this.#trouble = undefined;
      this.#cooldowns.answered(by);
      const { reference } = verified.grant;
      await attempt.succeeded();
      audit({ type: 'verified', purpose, ...by, reference });
      return verified;
    } catch (thrown) {
      const failure = trouble(thrown);
      if (failure.code === 'invalid_credentials') {
        this.#trouble = undefined;
        this.#cooldowns.answered(by);
        if (!this.#refused.add(key, clock.monotonic())) await attempt.refund();
        throw this.refusal(presented, 'the upstream does not accept them', failure);
      }
      this.#cooldowns.failed(failure, by);
      this.#trouble = { code: failure.code, at: clock.monotonic() };
      // A 429 may depend on the guess, so it is no free one.
      const isCounted = failure.code === 'upstream_rate_limited' && this.#refused.addUnjudged(key, clock.monotonic());
      if (!isCounted) await attempt.refund();
      throw this.#undecided(presented, purpose, failure);
    }
  }

  #undecided(presented: PresentedCredentials, purpose: Purpose, failure: XPayAuthError): XPayAuthError {
    const { code: reason, reference } = failure;
    this.parts.audit({ type: 'undecided', purpose, ...attempted(presented), reason, reference });
    return failure;
  }

  async #ask(credentials: Credentials, purpose: Purpose, kind: CheckKind): Promise<Verified> {
    const { clock, policy, revocations, authenticate } = this.parts;
    if (!this.hasRoomFor(kind)) {
      throw new XPayAuthError('overloaded', `verification.maxConcurrent: ${this.#underWay.size} checks are under way`);
    }
    if (this.#stopped !== undefined) throw this.#stopped;
    const check = new AbortController();
    this.#underWay.add(check);
    if (kind === 'guess') this.#guesses++;
    try {
      const [mark, askedAt] = [revocations.position(), clock.monotonic()];
      const wallAheadMs = clock.now() - askedAt;
      const within = { clock, ms: policy.deadlineMs, signal: check.signal };
      const grant = await deadline(within, (signal) => authenticate(credentials, purpose, signal));
      const answeredAt = clock.monotonic();
      const { accessToken, lifeMs: statedLifeMs, upstreamNow } = grant;
      const facts = { expiresAt: accessToken.expiresAt, lifeMs: statedLifeMs, upstreamNow };
      // Throws for an expiry that is none: nobody is let in on a grant that is already over.
      const lifeMs = lifeFromNow({ ...facts, elapsedMs: answeredAt - askedAt }, clock.now());
      return { principal: this.#principalOf(grant), grant, mark, askedAt, wallAheadMs, answeredAt, lifeMs };
    } finally {
      this.#underWay.delete(check);
      if (kind === 'guess') this.#guesses--;
    }
  }

  #principalOf(grant: Grant): Principal {
    const { instance, issuer, scopeHierarchy } = this.parts;
    const facts = {
      username: grant.username,
      scopes: expandScopes(grant.scopes, scopeHierarchy),
      isAPI: grant.isAPI,
      expiresAt: grant.accessToken.expiresAt,
      instance,
    };
    return new Principal(facts, issuer);
  }

  #unusable({ scheme, address }: PresentedCredentials, flaw: string): XPayAuthError {
    const reason = `unusable credentials: ${flaw}`;
    // The name is left out: it may be the very thing that no log should hold.
    this.parts.audit({ type: 'refused', scheme, address, username: undefined, reason, reference: undefined });
    return new XPayAuthError('invalid_request', `The request holds ${reason}`);
  }
}

/**
 * A dialect refuses, or it is in trouble: any other code that blames the caller (`invalid_token`, say) would log people out.
 */
function trouble(thrown: unknown): XPayAuthError {
  const failure = asXPayAuthError(thrown, 'upstream_malformed', 'The dialect failed in an unexpected way');
  if (failure.trouble !== 'caller' || failure.code === 'invalid_credentials') return failure;
  return new XPayAuthError('upstream_malformed', `The dialect answered ${failure.code}`, { cause: failure });
}
