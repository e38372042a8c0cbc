import type { XPayAuthError } from '../core/errors.js';
import { type Backoff, PROBE_INTERVAL_MS, standingFailure, withRetryAfter } from '../async/backoff.js';

/** Ms for which the next probe is kept for a trusted address that was turned away, and told to come back in a second. */
const KEPT_FOR_TRUSTED_MS = 1_000;

/**
 * A cooldown of all checks, half-open: one check a second passes, so that the answer to it can end the cooldown. Addresses
 * with a recent success come first. After a 503 only they pass: it says that the service is unavailable to everyone
 * (RFC 9110 §15.6.4). Times are on the monotonic clock.
 */
export class HalfOpenCooldown {
  #current: Backoff | undefined;
  #nextProbeAt = -Infinity;
  #keptUntil = -Infinity;

  /** Starts the cooldown. One for the same failure is prolonged, one for another failure is replaced. */
  start(error: XPayAuthError, until: number, now: number): void {
    const current = this.failure(now);
    if (current === undefined) this.#nextProbeAt = now + PROBE_INTERVAL_MS;
    const earlier = current?.code === error.code ? this.#current?.until : undefined;
    this.#current = { error, until: Math.max(until, earlier ?? -Infinity) };
  }

  /** What the cooldown is for; `undefined` without one. */
  failure(now: number): XPayAuthError | undefined {
    return standingFailure(this.#current, now);
  }

  end(): void {
    this.#current = undefined;
  }

  /** Lets one check a second pass: `undefined`. Any other is turned away with the failure, and the ms to wait. */
  admit(isTrusted: boolean, now: number): XPayAuthError | undefined {
    const failure = this.failure(now);
    if (failure === undefined) return undefined;
    const mayProbe = isTrusted || (failure.code !== 'upstream_unavailable' && now >= this.#keptUntil);
    if (mayProbe && now >= this.#nextProbeAt) {
      this.#nextProbeAt = now + PROBE_INTERVAL_MS;
      this.#keptUntil = -Infinity;
      return undefined;
    }
    if (!isTrusted) return failure;
    this.#keptUntil = this.#nextProbeAt + KEPT_FOR_TRUSTED_MS;
    return withRetryAfter(failure, Math.min(this.#nextProbeAt - now, failure.retryAfterMs ?? Infinity));
  }
}
