import type { AccessToken } from '../core/credentials.js';
import type { Instant } from '../core/clock.js';
import {
  type Freshness,
  type FreshnessPolicy,
  type TurningPoints,
  freshness,
  turningPoints,
} from '../core/lifetime.js';
import type { LiveGrant } from './grant-provider.js';

/** How many callers with the same reading of the wall clock have both clocks read. */
const FULL_LOOKS = 16;

/** The current token, with the turning points of its lifetime computed once. */
export class HeldToken {
  readonly token: AccessToken;
  /** The token as every caller receives it: one promise, made once. */
  readonly promise: Promise<AccessToken>;
  readonly #points: TurningPoints;
  #freshAt = NaN;
  #looks = 0;
  #lookedAt = NaN;
  #isInDoubt = false;
  #isTrusted = false;

  constructor(
    readonly grant: LiveGrant,
    policy: FreshnessPolicy,
  ) {
    const { accessToken, receivedAt, lifeMs, ageMs = 0 } = grant;
    this.token = accessToken;
    this.promise = Promise.resolve(accessToken);
    const since = { wall: receivedAt.wall - ageMs, mono: receivedAt.mono - ageMs };
    this.#points = turningPoints({ since, lifeMs }, policy);
  }

  /**
   * Whether it is fresh without reading the monotonic clock. Reading a clock costs as much as everything else in handing a
   * token out. In a burst, the first callers of each ms have both clocks read (see {@link look}), and the others only the wall
   * clock, which unlike the monotonic one has moved on after a sleep.
   */
  isSurelyFresh(wall: number): boolean {
    return wall === this.#freshAt;
  }

  /** Returns how fresh it is by both clocks, for a caller who wants the token. */
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

  /** As {@link look}, without an effect. */
  freshness(now: Instant): Freshness {
    const state = freshness(this.#points, now);
    return state === 'doubtful' && this.#isTrusted ? 'stale' : state;
  }

  /** There is no newer one: a doubtful token is handed out after all. */
  renewalFailed(): void {
    this.#isTrusted ||= this.#isInDoubt;
  }

  /** Whether it has not expired, by the monotonic clock alone. */
  isUsable(mono: number): boolean {
    return mono < this.#points.expiredFrom;
  }

  /** Ms until it expires, by the monotonic clock alone; 0 when it has. */
  usableForMs(mono: number): number {
    return Math.max(0, this.#points.expiredFrom - mono);
  }

  /** Returns the wall-clock instant at which it becomes stale, or became so, as seen from `now`. */
  staleAt(now: Instant): number {
    const dueAt = now.wall + this.#points.staleFrom - now.mono;
    return this.freshness(now) === 'fresh' ? dueAt : Math.min(dueAt, now.wall);
  }
}
