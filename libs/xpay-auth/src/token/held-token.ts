import type { AccessToken } from '../core/access-token.js';
import type { Instant } from '../core/clock.js';
import {
  type Freshness,
  type FreshnessPolicy,
  type TurningPoints,
  freshness,
  turningPoints,
} from '../core/freshness.js';
import type { Lifetime } from '../core/lifetime.js';

/** How many callers of one reading of the wall clock find both clocks read. */
const FULL_LOOKS = 16;

/** The token at hand, with the turning points of its life worked out once. */
export class HeldToken {
  /** The token as everybody is handed it: one promise, made once. */
  readonly promise: Promise<AccessToken>;
  readonly #points: TurningPoints;
  #freshAt = NaN;
  #looks = 0;
  #lookedAt = NaN;
  #isInDoubt = false;
  #isTrusted = false;

  constructor(
    readonly token: AccessToken,
    lifetime: Lifetime,
    policy: FreshnessPolicy,
  ) {
    this.promise = Promise.resolve(token);
    this.#points = turningPoints(lifetime, policy);
  }

  /**
   * Whether it is fresh without a look at the monotonic clock. Reading a clock costs as much as all the rest of handing a
   * token out, so in a burst the first callers of each ms have both clocks read (see {@link look}), and the others the wall
   * clock, which unlike the monotonic one has moved on after a sleep.
   */
  isSurelyFresh(wall: number): boolean {
    return wall === this.#freshAt;
  }

  /** How fresh it is by both clocks. */
  look(now: Instant): Freshness {
    const state = this.freshness(now);
    if (state === 'doubtful') this.#isInDoubt = true;
    if (now.wall !== this.#lookedAt) {
      this.#lookedAt = now.wall;
      this.#looks = 0;
    }
    const staysFresh = state === 'fresh' && now.mono + 1 < this.#points.staleFrom;
    this.#freshAt = staysFresh && ++this.#looks >= FULL_LOOKS ? now.wall : NaN;
    return state;
  }

  /** As {@link look}, for an onlooker. */
  freshness(now: Instant): Freshness {
    const state = freshness(this.#points, now);
    return state === 'doubtful' && this.#isTrusted ? 'stale' : state;
  }

  /** There is no newer one: a token in doubt is handed out after all. */
  renewalFailed(): void {
    this.#isTrusted ||= this.#isInDoubt;
  }

  /** Whether it has not expired, whatever the wall clock says. */
  isUsable(mono: number): boolean {
    return mono < this.#points.expiredFrom;
  }

  /** Ms until it expires, whatever the wall clock says; 0 when it has. */
  usableForMs(mono: number): number {
    return Math.max(0, this.#points.expiredFrom - mono);
  }

  /** Wall-clock instant at which it becomes stale, or became so, as seen from `now`. */
  staleAt(now: Instant): number {
    const dueAt = now.wall + this.#points.staleFrom - now.mono;
    return this.freshness(now) === 'fresh' ? dueAt : Math.min(dueAt, now.wall);
  }
}
