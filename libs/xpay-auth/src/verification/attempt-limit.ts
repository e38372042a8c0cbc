import { LRUCache } from 'lru-cache';
import type { AuditSink } from '../core/audit-events.js';
import type { Clock } from '../core/clock.js';
import type { XPayAuthError } from '../core/errors.js';
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

export interface AttemptLimitParts extends UpstreamCooldownsParts {
  readonly clock: Clock;
  readonly attempts: Attempts;
  readonly audit: AuditSink;
  readonly next: Authenticator;
}

/** Counted credentials that are kept at once. Beyond it the least recent ones are dropped, and counted again. */
const MOST_COUNTED = 1_000;

/**
 * Ms within which the same rejected credentials cost one attempt. A forgotten job with an old password does not guess, and must
 * not use up the attempts of the user whose name it sends.
 */
const COUNTED_ONCE_IN_MS = 3_600_000;

/**
 * Fourth link: reserves one attempt for a flight, checks nothing during a cooldown or beyond a limit of the queue, and
 * gives the attempt back unless the answer is a rejection or a 429.
 */
export class AttemptLimit implements Authenticator {
  /** Created when the upstream first fails. */
  #cooldowns: UpstreamCooldowns | undefined;
  /** When credentials last cost an attempt, by {@link PresentedCredentials.checkKey}. */
  readonly #countedAt = new LRUCache<string, number>({ max: MOST_COUNTED });

  constructor(private readonly parts: AttemptLimitParts) {}

  async authenticate(presented: PresentedCredentials): Promise<Verified> {
    const { attempts, audit, next } = this.parts;
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
      verified = await next.authenticate(presented);
    } catch (thrown) {
      throw await this.#failed(presented, attempt, thrown as XPayAuthError);
    }
    this.#cooldowns?.answered(by);
    await attempt.succeeded();
    audit({ type: 'verified', purpose, ...by, reference: verified.grant.reference });
    return verified;
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

  /** Returns the error to throw. */
  async #failed(
    presented: PresentedCredentials,
    attempt: ReservedAttempt,
    failure: XPayAuthError,
  ): Promise<XPayAuthError> {
    if (failure.trouble === 'upstream') this.#cooldowns ??= new UpstreamCooldowns(this.parts);
    this.#cooldowns?.failed(failure, presented.by);
    const isRejected = isRejection(failure);
    if (isRejected) await this.#count(presented, attempt);
    // A 429 may depend on the guess, so it counts for this username. It may also concern the whole app, so it counts neither for
    // the address, which other callers share, nor for a user who was authenticated from this address.
    else if (failure.code === 'upstream_rate_limited' && !(await attempt.isFromTrustedAddress())) {
      await this.#count(presented, attempt, 'refundAddress');
    } else await attempt.refund();
    if (!isRejected) return this.#undecided(presented, failure);
    return rejection(this.parts.audit, presented, 'the upstream does not accept them', failure);
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
