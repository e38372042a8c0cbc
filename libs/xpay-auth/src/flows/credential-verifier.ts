import { LRUCache } from 'lru-cache';
import { canonicalText } from '../core/cache-key.js';
import type { Clock } from '../core/clock.js';
import { type Credentials, flawOf } from '../core/credentials.js';
import type { KeyedDigest } from '../core/digest.js';
import { XPayAuthError, asXPayAuthError } from '../core/errors.js';
import { hardMargin } from '../core/freshness.js';
import { lifeFromNow } from '../core/lifetime.js';
import type { Grant, Purpose } from '../core/ports.js';
import { Principal } from '../core/principal.js';
import { type ScopeHierarchy, expandScopes } from '../core/scopes.js';
import type { Attempts } from './attempts.js';
import type { AuditSink } from './audit-events.js';
import { type RememberedCaller, RememberedCallers } from './remembered-callers.js';
import type { RevocationMark, Revocations } from './revocations.js';
import { SingleFlight, withinDeadline } from './single-flight.js';

export interface VerificationPolicy {
  readonly periodMs: number;
  readonly refusedPeriodMs: number;
  readonly maxEntries: number;
  readonly maxConcurrent: number;
  readonly staleIfErrorMs: number;
  readonly deadlineMs: number;
}

/** What a credential verifier is made of. */
export interface CredentialVerifierParts {
  readonly instance: string;
  readonly dialect: string;
  readonly baseUrl: string;
  readonly clock: Clock;
  readonly digest: KeyedDigest;
  readonly policy: VerificationPolicy;
  readonly scopeHierarchy: ScopeHierarchy;
  readonly authenticate: (credentials: Credentials, purpose: Purpose, signal: AbortSignal) => Promise<Grant>;
  readonly attempts: Attempts;
  readonly revocations: Revocations;
  readonly audit: AuditSink;
}

/** Credentials as a request presented them. */
export interface PresentedCredentials {
  readonly scheme: string;
  readonly credentials: Credentials;
  /** Where they came from, for counting attempts; `undefined` where it cannot be known. */
  readonly address: string | undefined;
}

/** What a check brings: who it is, what the upstream grants, and when in the order of revocations it was asked. */
export interface Verified {
  readonly principal: Principal;
  readonly grant: Grant;
  readonly mark: RevocationMark;
}

/** Refused credentials that are remembered at once; beyond it the oldest make room, and are asked again. */
const MOST_REFUSED = 1_000;

/**
 * Tells who presents these credentials, asking the upstream at most once a period for each of them. What the upstream
 * accepted is remembered by a digest, what it refused in a table of its own, trouble not at all.
 */
export class CredentialVerifier {
  readonly #remembered: RememberedCallers;
  readonly #refused: LRUCache<string, number>;
  readonly #flights = new SingleFlight<Verified>();
  readonly #stop = new AbortController();
  #underWay = 0;

  constructor(private readonly parts: CredentialVerifierParts) {
    this.#remembered = new RememberedCallers(parts.policy.maxEntries);
    this.#refused = new LRUCache({ max: MOST_REFUSED });
  }

  /** A caller of the present period, by the key under which it was remembered. Calls nobody. */
  recall(key: string): RememberedCaller | undefined {
    const caller = this.#remembered.get(key);
    return caller !== undefined && this.#isWithin(this.parts.policy.periodMs, caller) ? caller : undefined;
  }

  /** Whether a remembered caller should be checked again behind its back. */
  isDue(caller: RememberedCaller): boolean {
    return this.parts.clock.monotonic() >= caller.renewFrom;
  }

  /** Checks a remembered caller again while it goes on; only a refusal ends it early. */
  renewBehind(key: string, caller: RememberedCaller, presented: PresentedCredentials): void {
    caller.renewFrom = this.parts.clock.monotonic() + this.parts.policy.periodMs / 8;
    this.#check(presented, 'verification').then(
      (verified) => this.#remember(key, verified),
      (failure: unknown) => {
        if (isRefusal(failure)) this.#remembered.forget(key);
      },
    );
  }

  /** Who presents these, asking the upstream. The answer is remembered under `key`. */
  async verify(key: string, presented: PresentedCredentials): Promise<Principal> {
    try {
      const verified = await this.#checkUnrevoked(presented, 'verification');
      this.#remember(key, verified);
      return verified.principal;
    } catch (failure) {
      const last = this.#remembered.get(key);
      if (isRefusal(failure)) this.#remembered.forget(key);
      else if (last !== undefined && isTrouble(failure) && this.#isWithin(this.#stalePeriodMs, last))
        return last.principal;
      throw failure;
    }
  }

  /** Who presents these, and what the upstream grants them: for a login, which is never answered from memory. */
  login(presented: PresentedCredentials): Promise<Verified> {
    return this.#checkUnrevoked(presented, 'login');
  }

  forgetUser(username: string): void {
    this.#remembered.forgetUser(username);
  }

  forgetAll(): void {
    this.#remembered.forgetAll();
  }

  /** Ends every check under way. */
  stop(): void {
    this.#stop.abort(new XPayAuthError('shutting_down', 'The application is shutting down'));
  }

  /** A user who is revoked while the upstream thinks is asked for once more: its answer is from before. */
  async #checkUnrevoked(presented: PresentedCredentials, purpose: Purpose): Promise<Verified> {
    const first = await this.#check(presented, purpose);
    if (!this.#isRevoked(first)) return first;
    const second = await this.#check(presented, purpose);
    if (!this.#isRevoked(second)) return second;
    throw this.#refusal(presented, 'revoked during the check');
  }

  async #check(presented: PresentedCredentials, purpose: Purpose): Promise<Verified> {
    const { clock, digest, policy, instance, dialect, baseUrl, attempts } = this.parts;
    const { username, secretKey } = presented.credentials;
    const flaw = flawOf(presented.credentials);
    if (flaw === 'empty') {
      await attempts.reserve(username, presented.address);
      throw this.#refusal(presented, 'empty user name or secret');
    }
    if (flaw !== undefined) throw new XPayAuthError('invalid_request', `The credentials are unusable: ${flaw}`);

    const scheme = presented.scheme.toLowerCase();
    const key = digest.of(canonicalText({ instance, dialect, baseUrl, scheme, username, secretKey }));
    if ((this.#refused.get(key) ?? -Infinity) > clock.monotonic() - policy.refusedPeriodMs) {
      throw this.#refusal(presented, 'refused a moment ago');
    }
    return this.#flights.run(`${purpose} ${key}`, () => this.#ask(key, presented, purpose));
  }

  /** One question to the upstream, within the number that may be under way, paid for with one attempt. */
  async #ask(key: string, presented: PresentedCredentials, purpose: Purpose): Promise<Verified> {
    const { clock, policy, attempts, audit, authenticate } = this.parts;
    if (this.#underWay >= policy.maxConcurrent) {
      throw new XPayAuthError('overloaded', `verification.maxConcurrent: ${policy.maxConcurrent} checks are under way`);
    }
    this.#underWay++;
    const mark = this.parts.revocations.mark();
    try {
      const attempt = await attempts.reserve(presented.credentials.username, presented.address);
      try {
        const limits = { clock, deadlineMs: policy.deadlineMs, stop: this.#stop.signal };
        const grant = await withinDeadline(limits, (signal) => authenticate(presented.credentials, purpose, signal));
        const principal = this.#principalOf(grant);
        await attempt.succeeded();
        audit({
          type: 'verified',
          purpose,
          ...described(presented),
          username: principal.username,
          reference: grant.reference,
        });
        return { principal, grant, mark };
      } catch (thrown) {
        const failure = asXPayAuthError(thrown, 'upstream_malformed', 'The dialect failed in an unexpected way');
        if (failure.code === 'invalid_credentials') {
          this.#refused.set(key, clock.monotonic());
          throw this.#refusal(presented, 'refused by the upstream', failure);
        }
        await attempt.undecided();
        audit({
          type: 'undecided',
          purpose,
          ...described(presented),
          reason: failure.code,
          reference: failure.reference,
        });
        throw failure;
      }
    } finally {
      this.#underWay--;
    }
  }

  #principalOf(grant: Grant): Principal {
    const { instance, scopeHierarchy, clock } = this.parts;
    // Throws for an expiry that is none: nobody is let in on a grant that is already over.
    lifeFromNow(grantLife(grant), clock.now());
    return new Principal({
      username: grant.username,
      scopes: expandScopes(grant.scopes, scopeHierarchy),
      isAPI: grant.isAPI,
      expiresAt: grant.accessToken.expiresAt,
      instance,
    });
  }

  #isRevoked({ mark, principal }: Verified): boolean {
    return this.parts.revocations.endedSince(mark, principal.username);
  }

  #remember(key: string, verified: Verified): void {
    if (this.#isRevoked(verified)) return;
    const { principal, grant } = verified;
    const { clock, policy } = this.parts;
    const checkedAt = clock.monotonic();
    const lifeMs = lifeFromNow(grantLife(grant), clock.now());
    const endsAt = lifeMs === undefined ? Infinity : checkedAt + lifeMs - hardMargin(lifeMs);
    const periodMs = Math.min(policy.periodMs, endsAt - checkedAt);
    this.#remembered.set(key, { principal, checkedAt, endsAt, renewFrom: checkedAt + periodMs * 0.75 });
  }

  #isWithin(periodMs: number, caller: RememberedCaller): boolean {
    const now = this.parts.clock.monotonic();
    return now - caller.checkedAt < periodMs && now < caller.endsAt;
  }

  get #stalePeriodMs(): number {
    const { periodMs, staleIfErrorMs } = this.parts.policy;
    return periodMs + staleIfErrorMs;
  }

  #refusal(presented: PresentedCredentials, reason: string, failure?: XPayAuthError): XPayAuthError {
    this.parts.audit({ type: 'refused', ...described(presented), reason, reference: failure?.reference });
    return new XPayAuthError('invalid_credentials', `The credentials were ${reason}`, {
      reference: failure?.reference,
    });
  }
}

function grantLife({ accessToken, lifeMs, upstreamNow }: Grant) {
  return { expiresAt: accessToken.expiresAt, lifeMs, upstreamNow };
}

function described({ scheme, credentials, address }: PresentedCredentials) {
  return { scheme, username: credentials.username, address };
}

function isRefusal(failure: unknown): boolean {
  return failure instanceof XPayAuthError && failure.code === 'invalid_credentials';
}

function isTrouble(failure: unknown): boolean {
  return failure instanceof XPayAuthError && failure.trouble !== 'caller';
}
