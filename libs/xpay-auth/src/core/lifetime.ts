import { hash } from 'node:crypto';
import { type Clock, type Instant, SMALLEST_STEP_MS } from './clock.js';
import { XPayAuthError } from './errors.js';

/** A lifetime that begins at `since` and lasts `lifeMs` on the monotonic clock. Time for which the machine sleeps counts. */
export interface Lifetime {
  readonly since: Instant;
  readonly lifeMs: number;
}

/** The facts about the lifetime of a token in the upstream's answer. */
export interface ExpiryFacts {
  /** Expiry in ms since the epoch, by the upstream's clock. */
  readonly expiresAt?: number | undefined;
  /** Lifetime in ms from now, if the upstream states one (as `expires_in`, RFC 6749 §5.1). Takes precedence over `expiresAt`. */
  readonly lifeMs?: number | undefined;
  /** Time of the answer in ms since the epoch, by the upstream's clock: its `Date` header, or a more precise source. */
  readonly upstreamNow?: number | undefined;
  /** Ms between the call and its answer. The upstream read `upstreamNow` at some moment in between. @default 0 */
  readonly elapsedMs?: number | undefined;
}

/** Up to this, a difference between the clocks is ignored: `Date` has whole seconds, and an answer takes time to arrive. */
const SMALLEST_SKEW_MS = 2_000;
/** Longest lifetime: 100 years. A longer `lifeMs` is in the wrong unit, because seconds, ms and µs are easily confused. */
const LONGEST_LIFE_MS = 100 * 365 * 86_400_000;
/** Latest expiry: the end of the year 9999, which upstreams use for "never". A later expiry is in the wrong unit. */
const LAST_EXPIRY = Date.UTC(10_000, 0) - 1;
/** Longest delay of a write to the store in ms. It is longer than any attempt and its lease. */
const LATEST_WRITE_MS = 30_000;
/** A time in whole seconds, such as that of `Date` (RFC 9110 §5.6.7), is truncated by up to this many ms. */
const TRUNCATED_MS = 1_000;

/** Reads both clocks once. */
export function readInstant(clock: Clock): Instant {
  return { wall: clock.now(), mono: clock.monotonic() };
}

/**
 * Returns the ms by which the upstream's clock is ahead of ours (negative: behind), or 0 for a difference of at most 2 s. The
 * upstream may have dated its answer at any moment of the call. An upstream's clock that seems behind by at most the duration of
 * the call and 2 s may therefore be right, and the result is also 0.
 */
export function clockSkew({ upstreamNow, elapsedMs = 0 }: ExpiryFacts, wall: number): number {
  const skew = upstreamNow === undefined ? 0 : upstreamNow - wall;
  return skew > SMALLEST_SKEW_MS || -skew > SMALLEST_SKEW_MS + elapsedMs ? skew : 0;
}

/**
 * Returns the remaining lifetime in ms, at most 100 years; `undefined` if the upstream states none. Throws
 * `upstream_malformed` for a lifetime that is over, is not a number, or is in the wrong unit.
 */
export function lifeFromNow(facts: ExpiryFacts, wall: number): number | undefined {
  const { expiresAt, elapsedMs = 0 } = facts;
  const statedLifeMs = facts.lifeMs === undefined ? undefined : subtractAtMostHalf(facts.lifeMs, elapsedMs);
  const lifeMs = statedLifeMs ?? (expiresAt === undefined ? undefined : lifeUntil(expiresAt, facts, wall));
  if (lifeMs === undefined) return undefined;
  const isTooFar = statedLifeMs === undefined ? (expiresAt ?? 0) > LAST_EXPIRY : lifeMs > LONGEST_LIFE_MS;
  if (lifeMs > 0 && !isTooFar) return Math.min(lifeMs, LONGEST_LIFE_MS);
  throw new XPayAuthError(
    'upstream_malformed',
    `The upstream's answer expires ${describe(lifeMs, expiresAt)}; expected an instant ahead, in the documented unit.`,
  );
}

/**
 * Returns the shorter of the remaining lifetimes by our clock and by the upstream's clock, because either clock may be wrong. If
 * the lifetime is over by only one of the clocks, that clock is ignored, because a clock that is hours wrong would make every
 * token look expired.
 */
function lifeUntil(expiresAt: number, { upstreamNow = NaN, elapsedMs = 0 }: ExpiryFacts, wall: number): number {
  const [byOurClock, byUpstreamClock] = [expiresAt - wall, expiresAt - upstreamNow];
  const truncatedMs = upstreamNow % TRUNCATED_MS === 0 ? TRUNCATED_MS : 0;
  if (!(byUpstreamClock > 0)) return byOurClock;
  if (byOurClock > 0) return Math.min(byOurClock, subtractAtMostHalf(byUpstreamClock, elapsedMs + truncatedMs));
  // If the clocks may agree, the lifetime was over before the answer arrived.
  const mayAgree = upstreamNow <= wall && wall < upstreamNow + elapsedMs + truncatedMs;
  return mayAgree || byUpstreamClock <= elapsedMs
    ? byOurClock
    : subtractAtMostHalf(byUpstreamClock - elapsedMs, truncatedMs);
}

/**
 * Subtracts `uncertaintyMs` from a lifetime, because the upstream may have written a slow answer at the beginning of the call,
 * and because its `Date` is truncated. Never subtracts more than half of the lifetime, because the upstream may also have written
 * the answer at the end of the call.
 */
function subtractAtMostHalf(lifeMs: number, uncertaintyMs: number): number {
  return lifeMs - Math.min(uncertaintyMs, Math.max(0, lifeMs / 2));
}

/**
 * Returns the remaining lifetime of a stored token in ms. The store measures the lifetime from the write. After a late write, the
 * token expires sooner than the store states, so its expiry by our clock is used. If that expiry is sooner by more than 30 s, the
 * longest delay of a write, our clock must be wrong and is ignored.
 */
export function remainingInStore(storeMs: number, expiresAt: number | undefined, wall: number): number {
  const byExpiryMs = (expiresAt ?? Infinity) - wall;
  return storeMs - byExpiryMs <= LATEST_WRITE_MS ? Math.min(storeMs, byExpiryMs) : storeMs;
}

function describe(lifeMs: number, expiresAt: number | undefined): string {
  if (Number.isNaN(lifeMs)) return 'at no readable time';
  if (lifeMs > LONGEST_LIFE_MS) return 'in more than 100 years, or after the year 9999';
  if (expiresAt !== undefined && expiresAt > 0 && expiresAt < 1e11)
    return 'decades ago (seconds where ms were expected?)';
  return `${Math.round(-lifeMs)} ms before it was given`;
}

/**
 * - `fresh`: use the token
 * - `stale`: use the token and renew it in the background
 * - `doubtful`: the token is expired by the wall clock only; renew it first, and use it only if the renewal fails
 * - `expired`: never hand out the token
 */
export type Freshness = 'fresh' | 'stale' | 'doubtful' | 'expired';

/** When a token is due for renewal. */
export interface FreshnessPolicy {
  /** The share of its lifetime after which a token is stale: between 0 and 1. */
  readonly refreshAt: number;
  /** A token is not handed out in these last ms of its lifetime; see {@link hardMargin} for the default. */
  readonly hardMarginMs?: number | undefined;
}

/** The times at which the freshness of a token changes. They are computed once for each token. */
export interface TurningPoints {
  /** Time on the monotonic clock from which the token is stale. */
  readonly staleFrom: number;
  /** Time on the monotonic clock from which the token is expired. */
  readonly expiredFrom: number;
  /** If the wall clock minus the monotonic clock is greater than this, the wall clock ran ahead. */
  readonly farthestAhead: number;
  /** Time on the wall clock from which the token is expired by the wall clock. */
  readonly expiredFromWall: number;
}

/**
 * Returns the margin in ms. In the margin before the end of its lifetime a token is not handed out, so that it does not expire
 * on its way to the upstream. The default is 5 % of the lifetime, at least 2 s, at most 30 s and at most 10 % of the lifetime. A
 * configured margin is limited to half of the lifetime, because otherwise a short-lived token could never be used.
 */
export function hardMargin(lifeMs: number, ownMarginMs?: number): number {
  if (ownMarginMs !== undefined) return Math.min(ownMarginMs, lifeMs / 2);
  return Math.min(30_000, Math.max(2_000, lifeMs * 0.05), lifeMs * 0.1);
}

/** Returns the times at which a token becomes stale and expired. `staleFrom` is never later than `expiredFrom`. */
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
 * Returns the freshness of a token at `now`. The age of a token is measured on the monotonic clock, so a step of the wall clock
 * neither expires a good token nor makes an expired one usable. If the wall clock ran ahead, either the wall clock was set
 * forward, or the machine slept and has no boot clock that measures the sleep. In the second case the token is older than the
 * monotonic clock shows, so the token is renewed.
 */
export function freshness(points: TurningPoints, now: Instant): Freshness {
  if (now.mono >= points.expiredFrom) return 'expired';
  const ranAhead = now.wall - now.mono > points.farthestAhead;
  if (ranAhead && now.wall >= points.expiredFromWall) return 'doubtful';
  return ranAhead || now.mono >= points.staleFrom ? 'stale' : 'fresh';
}

/**
 * Returns the share of a token's lifetime after which this instance renews the token, within the range `[from, to]`. The same
 * seed always gives the same share. Different instances have different seeds, so they do not all renew at the same time.
 */
export function refreshShare([from, to]: readonly [number, number], seed: string): number {
  return from + (to - from) * (hash('sha256', seed, 'buffer').readUInt32BE() / 2 ** 32);
}
