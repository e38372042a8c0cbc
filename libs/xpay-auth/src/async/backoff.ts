import { XPayAuthError } from '../core/errors.js';

/** The upstream is left alone until then, on the monotonic clock, and why. */
export interface Pause {
  readonly until: number;
  readonly error: XPayAuthError;
}

/** The reason, with the time that is left of the pause; `undefined` once it is over. */
export function leftOf(pause: Pause | undefined, mono: number): XPayAuthError | undefined {
  return pause !== undefined && mono < pause.until ? withRetryAfter(pause.error, pause.until - mono) : undefined;
}

/** The same failure, saying when another try makes sense. */
export function withRetryAfter(error: XPayAuthError, retryAfterMs: number): XPayAuthError {
  const { code, message, cause, reference } = error;
  return new XPayAuthError(code, message, { cause, reference, retryAfterMs });
}

/** An attempt that was not made, because of a pause. `failure` is what the pause is for: no new one. */
export class HeldBack extends Error {
  constructor(readonly failure: XPayAuthError) {
    super('held back');
  }
}
