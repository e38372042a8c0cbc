import type { Instant } from './clock.js';
import type { Lifetime } from './lifetime.js';

/** *fresh*: use it · *stale*: use it and renew it behind the caller · *expired*: never hand it out. */
export type Freshness = 'fresh' | 'stale' | 'expired';

/** When a token is due. */
export interface FreshnessPolicy {
  /** The share of its life after which a token is stale: between 0 and 1. */
  readonly refreshAt: number;
  /** Ms before its end from which a token is never handed out; see {@link hardMargin} for the default. */
  readonly hardMarginMs?: number | undefined;
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

/** Ms after the start of a life at which it becomes stale and at which it is expired. */
export function thresholds(lifeMs: number, policy: FreshnessPolicy): { staleAfterMs: number; expiredAfterMs: number } {
  const expiredAfterMs = lifeMs - hardMargin(lifeMs, policy.hardMarginMs);
  return { staleAfterMs: Math.min(lifeMs * policy.refreshAt, expiredAfterMs), expiredAfterMs };
}

/**
 * How fresh a token is now. Age is measured on the monotonic clock, so a step of the wall clock neither kills a living
 * token nor revives a dead one. Only where the wall clock ran ahead of the monotonic one (the machine slept, or its
 * clock was set forward) is a fresh token called stale: it may be older than it looks, so it is renewed.
 */
export function freshness(lifetime: Lifetime, now: Instant, policy: FreshnessPolicy): Freshness {
  const { staleAfterMs, expiredAfterMs } = thresholds(lifetime.lifeMs, policy);
  const ageMs = now.mono - lifetime.since.mono;
  if (ageMs >= expiredAfterMs) return 'expired';
  return ageMs >= staleAfterMs || wallRanAhead(lifetime, now, policy) ? 'stale' : 'fresh';
}

function wallRanAhead(lifetime: Lifetime, now: Instant, policy: FreshnessPolicy): boolean {
  const aheadMs = now.wall - lifetime.since.wall - (now.mono - lifetime.since.mono);
  return aheadMs > Math.max(2_000, hardMargin(lifetime.lifeMs, policy.hardMarginMs));
}
