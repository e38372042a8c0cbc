import { type Instant, SMALLEST_STEP_MS } from './clock.js';
import type { Lifetime } from './lifetime.js';

/**
 * *fresh*: use it · *stale*: use it and renew it in the background · *doubtful*: expired by the wall clock alone, so renew it
 * first and use it only if that fails · *expired*: never hand it out.
 */
export type Freshness = 'fresh' | 'stale' | 'doubtful' | 'expired';

/** When a token is due. */
export interface FreshnessPolicy {
  /** The share of its life after which a token is stale: between 0 and 1. */
  readonly refreshAt: number;
  /** Ms before its end from which a token is never handed out; see {@link hardMargin} for the default. */
  readonly hardMarginMs?: number | undefined;
}

/** The turning points of one life, worked out once. */
export interface TurningPoints {
  /** On the monotonic clock: from here on it is stale. */
  readonly staleFrom: number;
  /** On the monotonic clock: from here on it is expired. */
  readonly expiredFrom: number;
  /** Beyond this, wall clock minus monotonic clock says that the wall clock ran ahead. */
  readonly farthestAhead: number;
  /** On the wall clock: from here on it is expired by that clock. */
  readonly expiredFromWall: number;
}

/**
 * Ms before its end from which a token is not handed out any more, so that it does not die on the wire: 5 % of the
 * life, at least 2 s, at most 30 s and at most 10 % of the life. A margin of your own is kept to half of the life, or a
 * short token could never be used.
 */
export function hardMargin(lifeMs: number, ownMarginMs?: number): number {
  if (ownMarginMs !== undefined) return Math.min(ownMarginMs, lifeMs / 2);
  return Math.min(30_000, Math.max(2_000, lifeMs * 0.05), lifeMs * 0.1);
}

/** Where this life turns stale and expired. A token is never stale only after it has expired. */
export function turningPoints({ since, lifeMs }: Lifetime, policy: FreshnessPolicy): TurningPoints {
  const marginMs = hardMargin(lifeMs, policy.hardMarginMs);
  const expiredFrom = since.mono + lifeMs - marginMs;
  return {
    staleFrom: Math.min(since.mono + lifeMs * policy.refreshAt, expiredFrom),
    expiredFrom,
    farthestAhead: since.wall - since.mono + Math.max(SMALLEST_STEP_MS, marginMs),
    expiredFromWall: since.wall + lifeMs - marginMs,
  };
}

/**
 * How fresh a token is now. Age is measured on the monotonic clock, time asleep included, so a step of the wall clock neither
 * kills a living token nor revives a dead one. Where the wall clock ran ahead of it, the clock was set forward, or the machine
 * slept and has no boot clock to show it: the token may be older than it looks, so it is renewed.
 */
export function freshness(points: TurningPoints, now: Instant): Freshness {
  if (now.mono >= points.expiredFrom) return 'expired';
  const ranAhead = now.wall - now.mono > points.farthestAhead;
  if (ranAhead && now.wall >= points.expiredFromWall) return 'doubtful';
  return ranAhead || now.mono >= points.staleFrom ? 'stale' : 'fresh';
}
