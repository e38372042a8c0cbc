import type { XPayAuthError } from './errors.js';

/** A range of waiting times in ms. */
export interface Range {
  /** Ms of the shortest wait, at least 1. */
  readonly min: number;
  /** Ms of the longest wait, at least `min`. */
  readonly max: number;
}

/** How long to leave the upstream alone after a failure. */
export interface PausePolicy {
  /** Between attempts while the upstream fails. */
  readonly backoffMs: Range;
  /** After our own account was refused: `min`, doubling to `max`. */
  readonly rejectedRetryMs: Range;
}

/** What is known when an attempt has failed. */
export interface FailedAttempt {
  readonly error: XPayAuthError;
  /** How many attempts in a row have failed, this one included. */
  readonly failures: number;
  /** Ms for which the token at hand may still be handed out; 0 without one. */
  readonly usableForMs: number;
  /** Ms the attempt took. */
  readonly tookMs: number;
}

/** Without a usable token every second counts: never more than this from one attempt to the next … */
export const LONGEST_PAUSE_WITHOUT_TOKEN_MS = 1_000;
/** … but an upstream that says when to come back is believed this far. */
export const LONGEST_RETRY_AFTER_WITHOUT_TOKEN_MS = 60_000;

/**
 * Ms until the next attempt. While a token is usable the pause never outlasts it, so that the attempt at the margin comes
 * at once. Without one, attempts are a second apart from start to start: what a hanging upstream has cost already counts.
 */
export function pauseAfter(attempt: FailedAttempt, policy: PausePolicy, random: () => number): number {
  const { error, failures, usableForMs, tookMs } = attempt;
  const asked = error.retryAfterMs;
  if (asked !== undefined && asked > 0) {
    // "Come back in 0 s" is no leave to hammer.
    const askedMs = Math.max(asked, policy.backoffMs.min);
    return Math.min(askedMs, usableForMs > 0 ? usableForMs : LONGEST_RETRY_AFTER_WITHOUT_TOKEN_MS);
  }
  const pauseMs = fullJitter(policy.backoffMs, failures, random);
  return usableForMs > 0
    ? Math.min(pauseMs, usableForMs)
    : Math.max(0, Math.min(pauseMs, LONGEST_PAUSE_WITHOUT_TOKEN_MS) - tookMs);
}

/** Ms for which an account is not tried again once it has been refused `refusals` times in a row: `min`, 2 `min` … `max`. */
export function refusedPeriod(refusals: number, policy: PausePolicy): number {
  return doubled(policy.rejectedRetryMs, refusals);
}

/** `min`, 2 `min`, 4 `min` … up to `max`. */
function doubled(range: Range, times: number): number {
  return Math.min(range.max, range.min * 2 ** Math.min(times - 1, 30));
}

/** Anything between `min` and the doubled bound: instances that failed together do not come back together. */
function fullJitter(range: Range, failures: number, random: () => number): number {
  return range.min + random() * (doubled(range, failures + 1) - range.min);
}

/**
 * This instance's own share of the life in `[from, to]` after which it renews. The same for the same seed, so it is not
 * rolled again with every look at the clock, and different between instances, so they do not all come at once.
 */
export function refreshShare(range: readonly [number, number], seed: string): number {
  let mixed = 2_166_136_261;
  for (let i = 0; i < seed.length; i++) mixed = Math.imul(mixed ^ seed.charCodeAt(i), 16_777_619) >>> 0;
  // One more round of mixing: neighbouring process ids should land far apart.
  mixed = Math.imul(mixed ^ (mixed >>> 15), 2_246_822_519) >>> 0;
  mixed = (mixed ^ (mixed >>> 13)) >>> 0;
  return range[0] + (range[1] - range[0]) * (mixed / 2 ** 32);
}
