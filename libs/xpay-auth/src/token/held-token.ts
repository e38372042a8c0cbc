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

/** Number of calls within one ms of the wall clock that read both clocks. Further calls within this ms read only the wall clock. */
const FULL_LOOKS = 16;

/** The current token, with the turning points of its lifetime computed once. */
export class HeldToken {
  readonly token: AccessToken;
  /** The promise that every caller receives. It is created once. */
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
   * Returns the freshness of the token for a caller who requests the token. Reading a clock takes as long as the rest of this
   * call. In each ms, only the first calls read both clocks. Further calls read the wall clock only. The wall clock is the better
   * choice, because it moves on while the machine sleeps and the monotonic clock may stand still.
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

  /** Like {@link look}, but for any instant and without changing this object. */
  freshness(now: Instant): Freshness {
    const state = freshness(this.#points, now);
    return state === 'doubtful' && this.#isTrusted ? 'stale' : state;
  }

  /**
   * Call this method when a renewal has failed. If the token is doubtful, callers receive it from now on, because there is no
   * newer token.
   */
  renewalFailed(): void {
    this.#isTrusted ||= this.#isInDoubt;
  }

  /** Whether the token may still be used, by the monotonic clock alone. */
  isUsable(mono: number): boolean {
    return mono < this.#points.expiredFrom;
  }

  /** Ms for which the token may still be used, by the monotonic clock alone. 0 if the token has expired. */
  usableForMs(mono: number): number {
    return Math.max(0, this.#points.expiredFrom - mono);
  }

  /** Returns the time on the wall clock at which the token becomes stale or became stale, computed from `now`. */
  staleAt(now: Instant): number {
    const dueAt = now.wall + this.#points.staleFrom - now.mono;
    return this.freshness(now) === 'fresh' ? dueAt : Math.min(dueAt, now.wall);
  }
}
