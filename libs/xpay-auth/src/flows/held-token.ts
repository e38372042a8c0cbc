import type { AccessToken } from '../core/access-token.js';
import type { Instant } from '../core/clock.js';
import { type FreshnessPolicy, type Freshness, freshness, thresholds } from '../core/freshness.js';
import type { Lifetime } from '../core/lifetime.js';

/** The token at hand, with the two instants of its life worked out once. */
export class HeldToken {
  /** On the monotonic clock: from here on it is never handed out. */
  readonly expiredFrom: number;
  readonly #staleAfterMs: number;

  constructor(
    readonly token: AccessToken,
    readonly lifetime: Lifetime,
    private readonly policy: FreshnessPolicy,
  ) {
    const { staleAfterMs, expiredAfterMs } = thresholds(lifetime.lifeMs, policy);
    this.#staleAfterMs = staleAfterMs;
    this.expiredFrom = lifetime.since.mono + expiredAfterMs;
  }

  freshness(now: Instant): Freshness {
    return freshness(this.lifetime, now, this.policy);
  }

  /** Ms for which it may still be handed out; 0 when it may not. */
  usableForMs(now: Instant): number {
    return Math.max(0, this.expiredFrom - now.mono);
  }

  /** Wall-clock instant at which it becomes stale, as seen from `now`. */
  staleAt(now: Instant): number {
    return now.wall + this.lifetime.since.mono + this.#staleAfterMs - now.mono;
  }
}
