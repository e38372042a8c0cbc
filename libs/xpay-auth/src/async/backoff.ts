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
  /** End of the backoff on the monotonic clock. */
  readonly until: number;
  readonly error: XPayAuthError;
}

/**
 * Returns the failure that caused the backoff, with the remaining ms as `retryAfterMs`. Returns `undefined` when the backoff is
 * over.
 */
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
   * @param failure the earlier failure that caused the backoff
   * @param rejections number of consecutive rejections of the app account, reported by another instance. 0 if the backoff has
   *   another cause
   * @param failures number of consecutive failed attempts of the instance that shared the backoff. 0 if the backoff is not shared
   */
  constructor(
    readonly failure: XPayAuthError,
    readonly rejections = 0,
    readonly failures = 0,
  ) {
    super('not attempted during a backoff');
  }
}

/**
 * While there is no usable token: maximum ms from the start of one attempt to the start of the next, after failures without
 * `Retry-After`.
 */
export const MAX_BACKOFF_WITHOUT_TOKEN_MS = 1_000;
/** Lifetime in ms below which the backoff is shortened in proportion to the lifetime of the token. */
const FULL_BACKOFF_LIFE_MS = 60_000;
/** While there is no usable token: maximum ms for which a `Retry-After` is observed. */
export const MAX_RETRY_AFTER_WITHOUT_TOKEN_MS = 60_000;
/**
 * Minimum and maximum cooldown of checks after a 429 or a 503 with `Retry-After`, in ms. The minimum also applies after a 429
 * without `Retry-After`, and after `Retry-After: 0`.
 */
export const COOLDOWN_MS: Range = { min: 1_000, max: 60_000 };
/** Ms between two checks that still reach the upstream during a cooldown. */
export const PROBE_INTERVAL_MS = 1_000;

/** For how long the upstream is not called after a failed attempt to obtain a token. */
export interface BackoffPolicy {
  /** Range of the ms between two attempts while the upstream fails. */
  readonly backoffMs: Range;
  /** Range of the ms after the app account was rejected. The wait begins with `min` and doubles up to `max`. */
  readonly rejectedRetryMs: Range;
}

/** A failed attempt to obtain a token. */
export interface FailedAttempt {
  readonly error: XPayAuthError;
  /** Number of consecutive failed attempts, including this one. */
  readonly failures: number;
  /** Ms for which callers may still use the current token. 0 if there is no current token. */
  readonly usableForMs: number;
  /** Lifetime of the current or last token, in ms; `undefined` if there was none. */
  readonly lifeMs: number | undefined;
  /** Duration of the attempt in ms. */
  readonly tookMs: number;
}

/**
 * Returns the ms until the next attempt. While a token is usable, the backoff ends no later than the token can still be used, so
 * that the next attempt is not delayed then. Without a usable token, the starts of two attempts are at most one second apart. For
 * a token with a lifetime of less than a minute, the backoff is shortened in proportion, because otherwise the backoff after a
 * few failures would be longer than the lifetime.
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

/** Returns `min` for the first consecutive failure, and twice the previous value for each further failure, up to `max`. */
export function doubled(range: Range, times: number): number {
  return Math.min(range.max, range.min * 2 ** Math.min(times - 1, 30));
}

/**
 * Returns a random time between `min` and the doubled value. Instances that failed at the same time therefore do not retry at the
 * same time.
 */
function fullJitter(range: Range, failures: number, random: () => number): number {
  return range.min + random() * (doubled(range, failures + 1) - range.min);
}
