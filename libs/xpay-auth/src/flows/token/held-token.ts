import type { AccessToken } from '../../core/access-token.js';
import type { Instant } from '../../core/clock.js';
import {
  type Freshness,
  type FreshnessPolicy,
  type TurningPoints,
  freshness,
  turningPoints,
} from '../../core/freshness.js';
import type { Lifetime } from '../../core/lifetime.js';

/** How many callers of one ms find both clocks read. */
const FULL_LOOKS_PER_MS = 16;

/** The token at hand, with the turning points of its life worked out once. */
export class HeldToken {
  /** The token as everybody is handed it: one promise, made once. */
  readonly promise: Promise<AccessToken>;
  readonly #points: TurningPoints;
  #freshUntil = -Infinity;
  #looks = 0;
  #looksSince = -Infinity;

  constructor(
    readonly token: AccessToken,
    lifetime: Lifetime,
    policy: FreshnessPolicy,
  ) {
    this.promise = Promise.resolve(token);
    this.#points = turningPoints(lifetime, policy);
  }

  /**
   * Whether it is fresh without another look at the wall clock. Reading a clock costs as much as all the rest of handing
   * a token out, so in a burst the first callers of each ms have both clocks read (see {@link look}), and the others the
   * monotonic one, which alone decides what is too old.
   */
  isSurelyFresh(mono: number): boolean {
    return mono < this.#freshUntil;
  }

  /** How fresh it is by both clocks. */
  look(now: Instant): Freshness {
    if (now.mono - this.#looksSince >= 1) {
      this.#looksSince = now.mono;
      this.#looks = 0;
    }
    const state = this.freshness(now);
    if (state === 'fresh' && ++this.#looks >= FULL_LOOKS_PER_MS) {
      this.#freshUntil = Math.min(this.#looksSince + 1, this.#points.staleFrom);
    }
    return state;
  }

  /** As {@link look}, for an onlooker. */
  freshness(now: Instant): Freshness {
    return freshness(this.#points, now);
  }

  /** Whether it may be handed out. */
  isUsable(mono: number): boolean {
    return mono < this.#points.expiredFrom;
  }

  /** Ms for which it may still be handed out; 0 when it may not. */
  usableForMs(mono: number): number {
    return Math.max(0, this.#points.expiredFrom - mono);
  }

  /** Wall-clock instant at which it becomes stale, or became so, as seen from `now`. */
  staleAt(now: Instant): number {
    const dueAt = now.wall + this.#points.staleFrom - now.mono;
    return this.freshness(now) === 'fresh' ? dueAt : Math.min(dueAt, now.wall);
  }
}
