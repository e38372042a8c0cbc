import { type Instant, SMALLEST_STEP_MS } from './clock.js';
import { XPayAuthError } from './errors.js';

/** A lifetime that began at `since` and lasts `lifeMs`, by the monotonic clock with time asleep included. */
export interface Lifetime {
  readonly since: Instant;
  readonly lifeMs: number;
}

/** The statements of an answer about the lifetime of what it grants. */
export interface ExpiryFacts {
  /** Ms since the epoch, by the upstream's clock. */
  readonly expiresAt?: number | undefined;
  /** Ms from now, if the upstream states that (RFC 6749 §5.1 `expires_in`). Takes precedence over `expiresAt`. */
  readonly lifeMs?: number | undefined;
  /** The upstream's clock when it answered: its `Date`, or a better source. */
  readonly upstreamNow?: number | undefined;
  /** Ms between the call and its answer: `upstreamNow` was read at some moment in between. @default 0 */
  readonly elapsedMs?: number | undefined;
}

/** Smaller differences mean nothing: a `Date` header has whole seconds, and the answer takes a while to arrive. */
const SMALLEST_SKEW_MS = 2_000;
/** Cap of a lifetime. A longer `lifeMs` is a mistaken unit: seconds, ms and µs are easily confused. */
const LONGEST_LIFE_MS = 100 * 365 * 86_400_000;
/** "Never" is written as the last moment of the year 9999; an expiry beyond it is a mistaken unit. */
const LAST_EXPIRY = Date.UTC(10_000, 0) - 1;
/** A write into the store is at most this late, in ms: longer than any attempt and its lease. */
const LATEST_WRITE_MS = 30_000;
/** Up to so much is cut off a clock of whole seconds, such as `Date` (RFC 9110 §5.6.7). */
const CUT_MS = 1_000;

/**
 * Returns the ms by which the upstream's clock is ahead of ours (negative: behind), 0 where the difference means nothing. A
 * slow answer may have been dated at any moment of the call, so a clock that seems behind by less than that is not.
 */
export function clockSkew({ upstreamNow, elapsedMs = 0 }: ExpiryFacts, wall: number): number {
  const skew = upstreamNow === undefined ? 0 : upstreamNow - wall;
  return skew > SMALLEST_SKEW_MS || -skew > SMALLEST_SKEW_MS + elapsedMs ? skew : 0;
}

/**
 * Returns the remaining lifetime in ms, at most 100 years; `undefined` when the upstream states none. Throws
 * `upstream_malformed` for a lifetime that is over, no number, or in a mistaken unit.
 */
export function lifeFromNow(facts: ExpiryFacts, wall: number): number | undefined {
  const { expiresAt, elapsedMs = 0 } = facts;
  const told = facts.lifeMs === undefined ? undefined : lessAtMostHalf(facts.lifeMs, elapsedMs);
  const lifeMs = told ?? (expiresAt === undefined ? undefined : lifeUntil(expiresAt, facts, wall));
  if (lifeMs === undefined) return undefined;
  const isTooFar = told === undefined ? (expiresAt ?? 0) > LAST_EXPIRY : lifeMs > LONGEST_LIFE_MS;
  if (lifeMs > 0 && !isTooFar) return Math.min(lifeMs, LONGEST_LIFE_MS);
  throw new XPayAuthError(
    'upstream_malformed',
    `The upstream's answer expires ${describe(lifeMs, expiresAt)}; expected an instant ahead, in the documented unit.`,
  );
}

/**
 * Returns the smaller of the lifetime by our clock and the one by the upstream's, because either clock may be wrong. A clock
 * by which the lifetime is over is ignored where the other one disagrees: a clock that is hours off ends every token.
 */
function lifeUntil(expiresAt: number, { upstreamNow = NaN, elapsedMs = 0 }: ExpiryFacts, wall: number): number {
  const [ours, theirs] = [expiresAt - wall, expiresAt - upstreamNow];
  const cutMs = upstreamNow % CUT_MS === 0 ? CUT_MS : 0;
  if (!(theirs > 0)) return ours;
  if (ours > 0) return Math.min(ours, lessAtMostHalf(theirs, elapsedMs + cutMs));
  // Where the clocks may agree, it was over before the answer arrived.
  const agree = upstreamNow <= wall && wall < upstreamNow + elapsedMs + cutMs;
  return agree || theirs <= elapsedMs ? ours : lessAtMostHalf(theirs - elapsedMs, cutMs);
}

/**
 * Subtracts up to `lostMs` from a lifetime: a slow answer may have been written at the beginning of the call, and its `Date` is
 * cut. Never subtracts more than half, because it may also have been written at the end.
 */
function lessAtMostHalf(lifeMs: number, lostMs: number): number {
  return lifeMs - Math.min(lostMs, Math.max(0, lifeMs / 2));
}

/**
 * Returns the ms that remain of a stored token. The store counts from the moment of the write, which may come late: then the
 * token's own expiry is closer, by our clock. A clock that differs by more is wrong, and does not count.
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
 * *fresh*: use it · *stale*: use it and renew it in the background · *doubtful*: expired by the wall clock alone, so renew it
 * first and use it only if that fails · *expired*: never hand it out.
 */
export type Freshness = 'fresh' | 'stale' | 'doubtful' | 'expired';

/** When a token is due for renewal. */
export interface FreshnessPolicy {
  /** The share of its lifetime after which a token is stale: between 0 and 1. */
  readonly refreshAt: number;
  /** Ms before its end from which a token is never handed out; see {@link hardMargin} for the default. */
  readonly hardMarginMs?: number | undefined;
}

/** The turning points of one lifetime, computed once. */
export interface TurningPoints {
  /** On the monotonic clock: from here on it is stale. */
  readonly staleFrom: number;
  /** On the monotonic clock: from here on it is expired. */
  readonly expiredFrom: number;
  /** If the wall clock minus the monotonic one is greater than this, the wall clock ran ahead. */
  readonly farthestAhead: number;
  /** On the wall clock: from here on it is expired by that clock. */
  readonly expiredFromWall: number;
}

/**
 * Returns the ms before its end from which a token is not handed out any more, so that it does not expire on the wire: 5 % of
 * the lifetime, at least 2 s, at most 30 s and at most 10 %. A configured margin is limited to half of the lifetime, or a short
 * token could never be used.
 */
export function hardMargin(lifeMs: number, ownMarginMs?: number): number {
  if (ownMarginMs !== undefined) return Math.min(ownMarginMs, lifeMs / 2);
  return Math.min(30_000, Math.max(2_000, lifeMs * 0.05), lifeMs * 0.1);
}

/** Returns when a lifetime turns stale and expired. A token is never stale only after it has expired. */
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
 * Returns how fresh a token is now. Its age is measured on the monotonic clock, so a step of the wall clock neither expires a
 * good token nor revives an expired one. If the wall clock ran ahead, it was set forward, or the machine slept and has no boot
 * clock to prove it: the token may be older than it seems, so it is renewed.
 */
export function freshness(points: TurningPoints, now: Instant): Freshness {
  if (now.mono >= points.expiredFrom) return 'expired';
  const ranAhead = now.wall - now.mono > points.farthestAhead;
  if (ranAhead && now.wall >= points.expiredFromWall) return 'doubtful';
  return ranAhead || now.mono >= points.staleFrom ? 'stale' : 'fresh';
}

/**
 * Returns the share of a token's lifetime, within `[from, to]`, after which this instance renews it. The same seed always
 * gives the same share, and different instances get different ones, so they do not all renew at once.
 */
export function refreshShare(range: readonly [number, number], seed: string): number {
  let mixed = 2_166_136_261;
  for (let i = 0; i < seed.length; i++) mixed = Math.imul(mixed ^ seed.charCodeAt(i), 16_777_619) >>> 0;
  // One more round of mixing spreads consecutive process ids.
  mixed = Math.imul(mixed ^ (mixed >>> 15), 2_246_822_519) >>> 0;
  mixed = (mixed ^ (mixed >>> 13)) >>> 0;
  return range[0] + (range[1] - range[0]) * (mixed / 2 ** 32);
}
