import type { XPayAuthError } from '../core/errors.js';
import { type Backoff, type BackoffPolicy, doubled, standingFailure } from '../async/backoff.js';

/** Other credentials are tried at once, but a function that makes up new ones each time is not followed for ever. */
const MOST_CHANGES_IN_A_PERIOD = 3;

/** Remembers that the upstream refused this app's account, and for how long that version of it is not tried again. */
export class RejectedAccount {
  #version: string | undefined;
  #pause: Backoff | undefined;
  #refusals = 0;
  #changes = 0;

  constructor(private readonly policy: BackoffPolicy) {}

  /** On the monotonic clock: until then the same credentials are not tried again. */
  get until(): number {
    return this.#pause?.until ?? -Infinity;
  }

  /** Why these credentials are not tried now; `undefined`: they may be. */
  objection(version: string, mono: number): XPayAuthError | undefined {
    const same = version === this.#version || this.#changes >= MOST_CHANGES_IN_A_PERIOD;
    return same ? standingFailure(this.#pause, mono) : undefined;
  }

  /** The upstream refused this version. Returns the ms for which it will not be tried again. */
  add(version: string | undefined, error: XPayAuthError, mono: number): number {
    this.#changes = mono < this.until ? this.#changes + 1 : 0;
    this.#version = version;
    this.#refusals++;
    const periodMs = doubled(this.policy.rejectedRetryMs, this.#refusals);
    this.#pause = { until: mono + periodMs, error };
    return periodMs;
  }

  /** How often in a row the account was refused, here or elsewhere. */
  get count(): number {
    return this.#refusals;
  }

  /** Another instance was refused with this version, so often in a row; until then it is not tried again. */
  learn(version: string, refusals: number, error: XPayAuthError, until: number): void {
    this.#version = version;
    this.#refusals = refusals;
    this.#pause = { until, error };
  }

  /** The upstream has accepted the account. */
  clear(): void {
    this.#pause = undefined;
    this.#refusals = 0;
    this.#changes = 0;
  }
}
