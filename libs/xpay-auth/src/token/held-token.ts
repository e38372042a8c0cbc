import type { AccessToken } from '../core/credentials.js';
import type { Clock, Instant } from '../core/clock.js';
import {
  type Freshness,
  type FreshnessPolicy,
  type TurningPoints,
  freshness,
  turningPoints,
} from '../core/lifetime.js';
import type { LiveGrant } from './grant-provider.js';

/** Number of calls in one ms of the wall clock that read both clocks. */
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
   * Returns how fresh it is now, for a caller who wants the token. Reading a clock costs as much as the rest of this call. In a
   * burst, both clocks are read for the first callers of each ms, and for the others only the wall clock, which unlike the
   * monotonic one has moved on after a sleep.
   */
  look(clock: Clock): Freshness {
    const wall = clock.now();
    if (wall === this.#freshAt) return 'fresh';
    const mono = clock.monotonic();
    const state = this.freshness({ wall, mono });
    if (state === 'doubtful') this.#isInDoubt = true;
    if (wall !== this.#lookedAt) {
      this.#lookedAt = wall;
      this.#looks = 0;
    }
    const staysFresh = state === 'fresh' && mono + 1 < this.#points.staleFrom;
    this.#freshAt = staysFresh && ++this.#looks >= FULL_LOOKS ? wall : NaN;
    return state;
  }

  /** As {@link look}, without an effect. */
  freshness(now: Instant): Freshness {
    const state = freshness(this.#points, now);
    return state === 'doubtful' && this.#isTrusted ? 'stale' : state;
  }

  /** There is no newer token, so a doubtful one is handed out after all. */
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
