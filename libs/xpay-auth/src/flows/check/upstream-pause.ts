import type { XPayAuthError } from '../../core/errors.js';
import { type Pause, leftOf } from '../pause.js';

/** An upstream that says when to come back is believed this far. */
const LONGEST_PAUSE_MS = 60_000;

/** Leaves the upstream alone while it asks for that (`Retry-After` beside 429 or 5xx); other trouble pauses nothing. */
export class UpstreamPause {
  #pause: Pause | undefined;

  /** Looks at a failed check; `mono` on the monotonic clock. */
  heed(failure: XPayAuthError, mono: number): void {
    const { code, retryAfterMs } = failure;
    if (retryAfterMs === undefined || (code !== 'upstream_rate_limited' && code !== 'upstream_unavailable')) return;
    const until = mono + Math.min(retryAfterMs, LONGEST_PAUSE_MS);
    if (until > (this.#pause?.until ?? -Infinity)) this.#pause = { until, error: failure };
  }

  /** Why nobody is asked now, with the time that is left; `undefined`: the upstream may be asked. */
  objection(mono: number): XPayAuthError | undefined {
    return leftOf(this.#pause, mono);
  }
}
