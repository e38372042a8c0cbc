import type { Clock } from '../core/clock.js';
import type { CachedCaller } from './cached-callers.js';

export interface PeriodPolicy {
  /** Ms for which an accepted caller is let in without another question. */
  readonly periodMs: number;
  /** Ms beyond the period for which a caller is let in while the upstream is in trouble; 0: not at all. */
  readonly staleIfErrorMs: number;
}

export interface CallerPeriodParts {
  readonly clock: Clock;
  readonly policy: PeriodPolicy;
}

/** An answer of the upstream: when it was asked for, and from when on it does not vouch for it any more. */
type Answer = Pick<CachedCaller, 'checkedAt' | 'endsAt'>;

/** Renewal begins when this share of the period is over … */
const RENEW_AFTER = 0.75;
/** … and while it fails is tried again after half of what is left, at least after this share of the period. */
const SHORTEST_PAUSE = 1 / 16;
/**
 * The monotonic clock may stand still while a machine sleeps. A wall clock that ran ahead of it by more than this since the
 * question means that the answer is older than it seems.
 */
const MOST_WALL_GAIN_MS = 2_000;

/** For how long an answer of the upstream holds. Instants are on the monotonic clock. */
export class VerificationPeriod {
  constructor(private readonly parts: CallerPeriodParts) {}

  /** Ms from the question on for which its answer holds: the period, unless the upstream vouches for less. */
  lengthOf({ checkedAt, endsAt }: Answer): number {
    return Math.min(this.parts.policy.periodMs, endsAt - checkedAt);
  }

  /** When the first renewal may begin. */
  renewalOf(answer: Answer): number {
    return answer.checkedAt + this.lengthOf(answer) * RENEW_AFTER;
  }

  /** When the next renewal may begin, after one that has begun or failed now. */
  nextRenewalOf(answer: Answer): number {
    const now = this.parts.clock.monotonic();
    const lengthMs = this.lengthOf(answer);
    return now + Math.max((answer.checkedAt + lengthMs - now) / 2, lengthMs * SHORTEST_PAUSE);
  }

  /** Whether the caller may be let in without another question. */
  holds(caller: CachedCaller, now: number): boolean {
    return this.#isWithin(this.parts.policy.periodMs, caller, now);
  }

  /** Whether the caller may be let in when nobody can be asked. */
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
