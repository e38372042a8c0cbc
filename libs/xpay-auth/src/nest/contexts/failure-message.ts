import type { XPayAuthError } from '../../core/errors.js';
import type { FailureBody } from '../../core/failure-body.js';
import { toldRetryAfterMs } from '../exceptions/http-exception.js';

/** A failure as it is told over a socket or by a microservice, where no header can say more. */
export interface FailureMessage extends FailureBody {
  /** As Nest's own errors of these contexts have it. */
  readonly status: 'error';
  /** Where HTTP has `Retry-After`. */
  readonly retryAfterMs?: number;
  /** With `insufficient_scope`: the scopes that are asked for. */
  readonly requiredScopes?: readonly string[];
}

export function failureMessage(failure: XPayAuthError): FailureMessage {
  const retryAfterMs = toldRetryAfterMs(failure);
  const { requiredScopes } = failure;
  return {
    status: 'error',
    ...failure.getResponse(),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    ...(requiredScopes !== undefined && { requiredScopes }),
  };
}
