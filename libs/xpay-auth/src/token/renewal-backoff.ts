import type { XPayAuthError } from '../core/errors.js';
import { type Backoff, type BackoffPolicy, backoffAfter, standingFailure } from '../async/backoff.js';

/** How a renewal failed. `mono` is the moment of it, on the monotonic clock. */
export interface FailedRenewal {
  readonly error: XPayAuthError;
  readonly mono: number;
  readonly tookMs: number;
  /** Ms for which the token at hand may still be handed out; 0 without one. */
  readonly usableForMs: number;
}

/** What has gone wrong since the last token came, and for how long the upstream is left alone because of it. */
export class RenewalBackoff {
  #failures = 0;
  #lastError: XPayAuthError | undefined;
  #pause: Backoff | undefined;

  constructor(
    private readonly policy: BackoffPolicy,
    private readonly random: () => number,
  ) {}

  /** Failures in a row. */
  get failures(): number {
    return this.#failures;
  }

  get lastError(): XPayAuthError | undefined {
    return this.#lastError;
  }

  /** On the monotonic clock. */
  get quietUntil(): number {
    return this.#pause?.until ?? -Infinity;
  }

  /** Why nobody is to be asked now. */
  objection(mono: number): XPayAuthError | undefined {
    return standingFailure(this.#pause, mono);
  }

  /** An attempt was not made because of what had happened before: no failure of its own. */
  heldBack(why: XPayAuthError): void {
    this.#lastError = why;
  }

  failed(error: XPayAuthError): void {
    this.#failures++;
    this.#lastError = error;
  }

  /** Leaves the upstream alone for as long as the failures in a row deserve. Returns the ms. */
  rest({ error, mono, tookMs, usableForMs }: FailedRenewal): number {
    const pauseMs = backoffAfter({ error, failures: this.#failures, usableForMs, tookMs }, this.policy, this.random);
    this.#pause = { until: mono + pauseMs, error };
    return pauseMs;
  }

  /** Our own backoff ends; the time that an upstream asked for does not. */
  endBackoff(): void {
    if (this.#pause?.error.retryAfterMs === undefined) this.#pause = undefined;
  }

  endPause(): void {
    this.#pause = undefined;
  }

  /** A token has come. */
  end(): void {
    this.#pause = undefined;
    this.#failures = 0;
    this.#lastError = undefined;
  }
}
