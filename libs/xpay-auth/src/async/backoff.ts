import { XPayAuthError } from '../core/errors.js';

/** A range of waiting times in ms. */
export interface Range {
  /** Ms of the shortest wait, at least 1. */
  readonly min: number;
  /** Ms of the longest wait, at least `min`. */
  readonly max: number;
}

/** A time for which the upstream is not called, and the failure that caused it. */
export interface Backoff {
  /** End of it, on the monotonic clock. */
  readonly until: number;
  readonly error: XPayAuthError;
}

/** Returns the failure, with the ms that remain of the backoff; `undefined` once it is over. */
export function standingFailure(backoff: Backoff | undefined, mono: number): XPayAuthError | undefined {
  if (backoff === undefined || mono >= backoff.until) return undefined;
  return withRetryAfter(backoff.error, backoff.until - mono);
}

/** Returns the same failure with another `retryAfterMs`. */
export function withRetryAfter(error: XPayAuthError, retryAfterMs: number): XPayAuthError {
  const { code, message, cause, reference } = error;
  return new XPayAuthError(code, message, { cause, reference, retryAfterMs });
}

/** Thrown for an attempt that was not made because of a backoff. */
export class BackedOff extends Error {
  /**
   * @param failure caused the backoff, and is no new failure
   * @param rejections how often in a row another instance's account was rejected; 0: that is not the cause
   * @param failures failed attempts in a row of the instance that shared the backoff; 0: it is not shared
   */
  constructor(
    readonly failure: XPayAuthError,
    readonly rejections = 0,
    readonly failures = 0,
  ) {
    super('not attempted during a backoff');
  }
}

/** Cap of our own backoff while there is no usable token, in ms from the start of one attempt to the next. */
export const MAX_BACKOFF_WITHOUT_TOKEN_MS = 1_000;
/** Tokens with a lifetime below this, in ms, have a backoff in proportion. */
const FULL_BACKOFF_LIFE_MS = 60_000;
/** Cap of `Retry-After` while there is no usable token, in ms. */
export const MAX_RETRY_AFTER_WITHOUT_TOKEN_MS = 60_000;
/**
 * Shortest and longest cooldown of checks after a 429 or a 503 with `Retry-After`, in ms. The shortest one also applies
 * without `Retry-After`, and to `Retry-After: 0`.
 */
export const COOLDOWN_MS: Range = { min: 1_000, max: 60_000 };
/** Ms between two checks that are let through during a cooldown. */
export const PROBE_INTERVAL_MS = 1_000;

/** How long the upstream is not called after a failure. */
export interface BackoffPolicy {
  /** Between attempts while the upstream fails. */
  readonly backoffMs: Range;
  /** After the app account was rejected: `min`, doubling to `max`. */
  readonly rejectedRetryMs: Range;
}

/** A failed attempt to obtain a token. */
export interface FailedAttempt {
  readonly error: XPayAuthError;
  /** Failed attempts in a row, this one included. */
  readonly failures: number;
  /** Ms for which the current token may still be handed out; 0 without one. */
  readonly usableForMs: number;
  /** Lifetime of the current or last token, in ms; `undefined` if there was none. */
  readonly lifeMs: number | undefined;
  /** Ms that the attempt took. */
  readonly tookMs: number;
}

/**
 * Returns the ms until the next attempt. While a token is usable the backoff never outlasts it, so the attempt at its margin
 * is made at once. Without one, attempts are at most a second apart from start to start. A token that lives for less than a
 * minute shortens the backoff in proportion, or a few failures would last longer than the token.
 */
export function backoffAfter(attempt: FailedAttempt, policy: BackoffPolicy, random: () => number): number {
  const { error, failures, usableForMs, lifeMs = FULL_BACKOFF_LIFE_MS, tookMs } = attempt;
  const { retryAfterMs } = error;
  if (retryAfterMs !== undefined && retryAfterMs > 0) {
    const askedMs = Math.max(retryAfterMs, policy.backoffMs.min);
    return Math.min(askedMs, usableForMs > 0 ? usableForMs : MAX_RETRY_AFTER_WITHOUT_TOKEN_MS);
  }
  const share = Math.min(1, lifeMs / FULL_BACKOFF_LIFE_MS);
  const backoffMs = share * fullJitter(policy.backoffMs, failures, random);
  return usableForMs > 0
    ? Math.min(backoffMs, usableForMs)
    : Math.max(0, Math.min(backoffMs, MAX_BACKOFF_WITHOUT_TOKEN_MS) - tookMs);
}

/** Returns `min`, 2 `min`, 4 `min` … up to `max`, for the first, second, third … time in a row. */
export function doubled(range: Range, times: number): number {
  return Math.min(range.max, range.min * 2 ** Math.min(times - 1, 30));
}

/** A random time between `min` and the doubled bound, so that instances that failed together do not retry together. */
function fullJitter(range: Range, failures: number, random: () => number): number {
  return range.min + random() * (doubled(range, failures + 1) - range.min);
}
