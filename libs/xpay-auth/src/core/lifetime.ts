import type { Instant } from './clock.js';
import { XPayAuthError } from './errors.js';

/** A stretch of life: it began at `since` and lasts `lifeMs`. Measured on the monotonic clock, time asleep included. */
export interface Lifetime {
  readonly since: Instant;
  readonly lifeMs: number;
}

/** What an answer says of the life of what it brings. */
export interface ExpiryFacts {
  /** Ms since the epoch, by the upstream's clock. */
  readonly expiresAt?: number | undefined;
  /** Ms from now, where the upstream says it that way (RFC 6749 §5.1 `expires_in`). Wins over `expiresAt`. */
  readonly lifeMs?: number | undefined;
  /** What the upstream's own clock said as it answered: its `Date`, or better. */
  readonly upstreamNow?: number | undefined;
  /** Ms between asking and having the answer: `upstreamNow` was read at some moment in it. @default 0 */
  readonly elapsedMs?: number | undefined;
}

/** A `Date` header has whole seconds and the answer was under way for a while: below this a difference says nothing. */
const SMALLEST_SKEW_MS = 2_000;

/** A lifetime is capped at this; a longer `lifeMs` is a mistaken unit (seconds, ms and µs are easily confused). */
const LONGEST_LIFE_MS = 100 * 365 * 86_400_000;
/** "Never" is written as the last moment of the year 9999; an expiry beyond it is a mistaken unit. */
const LAST_EXPIRY = Date.UTC(10_000, 0) - 1;
/** What a clock loses that is cut to whole seconds, as `Date` is (RFC 9110 §5.6.7). */
const CUT_MS = 1_000;

/**
 * How far the upstream's clock is ahead of ours in ms (negative: behind), 0 where the difference says nothing.
 * An answer that took a while may have been dated at any moment of it, so a clock that seems behind by less than that
 * is not.
 */
export function clockSkew({ upstreamNow, elapsedMs = 0 }: ExpiryFacts, wall: number): number {
  const skew = upstreamNow === undefined ? 0 : upstreamNow - wall;
  return skew > SMALLEST_SKEW_MS || -skew > SMALLEST_SKEW_MS + elapsedMs ? skew : 0;
}

/**
 * How long a thing lives from now, in ms; `undefined` when the upstream does not say. At most 100 years.
 * Throws `upstream_malformed` for nonsense: already over, not a number, a unit mistaken.
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
 * The smaller of the life by our clock and the one by the upstream's, for either may be wrong. One by which the thing is over
 * already is ignored where the other disagrees: a clock that is hours off does that to every token.
 */
function lifeUntil(expiresAt: number, { upstreamNow = NaN, elapsedMs = 0 }: ExpiryFacts, wall: number): number {
  const [ours, theirs] = [expiresAt - wall, expiresAt - upstreamNow];
  const cutMs = upstreamNow % CUT_MS === 0 ? CUT_MS : 0;
  if (!(theirs > 0)) return ours;
  if (ours > 0) return Math.min(ours, lessAtMostHalf(theirs, elapsedMs + cutMs));
  // Where the clocks may well agree, it was over before the answer came.
  const agree = upstreamNow <= wall && wall < upstreamNow + elapsedMs + cutMs;
  return agree || theirs <= elapsedMs ? ours : lessAtMostHalf(theirs - elapsedMs, cutMs);
}

/**
 * What is left of a life when up to `lostMs` of it are lost on the way: an answer that took a while may have been written at
 * the beginning of it, and its `Date` is cut. Never less than half: what was written at the end of it is good, too.
 */
function lessAtMostHalf(lifeMs: number, lostMs: number): number {
  return lifeMs - Math.min(lostMs, Math.max(0, lifeMs / 2));
}

function describe(lifeMs: number, expiresAt: number | undefined): string {
  if (Number.isNaN(lifeMs)) return 'at no readable time';
  if (lifeMs > LONGEST_LIFE_MS) return 'in more than 100 years, or after the year 9999';
  if (expiresAt !== undefined && expiresAt > 0 && expiresAt < 1e11)
    return 'decades ago (seconds where ms were expected?)';
  return `${Math.round(-lifeMs)} ms before it was given`;
}
