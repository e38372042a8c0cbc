import type { Instant } from './clock.js';
import { XPayAuthError } from './errors.js';

/** A stretch of life: it began at `since` and lasts `lifeMs`. Measured on the monotonic clock. */
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

/** Nothing lives longer than this; an expiry beyond it is a mistaken unit (seconds, ms and µs are easily confused). */
const LONGEST_LIFE_MS = 100 * 365 * 86_400_000;

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
 * How long a thing lives from now, in ms; `undefined` when the upstream does not say.
 * Throws `upstream_malformed` for nonsense: already over, not a number, a unit mistaken.
 */
export function lifeFromNow(facts: ExpiryFacts, wall: number): number | undefined {
  const { expiresAt } = facts;
  const told = facts.lifeMs === undefined ? undefined : lessTheWay(facts.lifeMs, facts);
  const lifeMs = told ?? (expiresAt === undefined ? undefined : lifeUntil(expiresAt, facts, wall));
  if (lifeMs === undefined || (lifeMs > 0 && lifeMs <= LONGEST_LIFE_MS)) return lifeMs;
  throw new XPayAuthError(
    'upstream_malformed',
    `The upstream's answer expires ${describe(lifeMs, expiresAt)}; expected an instant ahead, in the documented unit.`,
  );
}

function lifeUntil(expiresAt: number, facts: ExpiryFacts, wall: number): number {
  const [byOurClock, byTheirs] = [expiresAt - wall, expiresAt - (facts.upstreamNow ?? wall)];
  if (clockSkew(facts, wall) !== 0) return lessTheWay(byTheirs, facts);
  // Where the clocks agree as far as can be told, the shorter of the two: to a token of 2 s a second matters.
  return byTheirs < byOurClock ? byTheirs : byOurClock;
}

/**
 * An answer that was under way for a while may have been written at the beginning of it. That no more than half of a life is
 * lost on the way is taken for granted: what was written at the end of it is good, too.
 */
function lessTheWay(lifeMs: number, { elapsedMs = 0 }: ExpiryFacts): number {
  return lifeMs - Math.min(elapsedMs, Math.max(0, lifeMs / 2));
}

function describe(lifeMs: number, expiresAt: number | undefined): string {
  if (Number.isNaN(lifeMs)) return 'at no readable time';
  if (lifeMs > LONGEST_LIFE_MS) return 'in more than 100 years';
  if (expiresAt !== undefined && expiresAt > 0 && expiresAt < 1e11)
    return 'decades ago (seconds where ms were expected?)';
  return `${Math.round(-lifeMs)} ms before it was given`;
}
