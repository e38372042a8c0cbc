import { HttpException } from '@nestjs/common';
import { HttpErrorByCode } from '@nestjs/common/utils/http-error-by-code.util.js';
import { type ChallengeContext, challengeFor } from '../../core/challenge.js';
import type { XPayAuthError } from '../../core/errors.js';
import type { FailureBody } from '../../core/failures.js';

/** Nest's own exception for each status except 429, for which Nest has none. The filters of an app recognise these classes. */
const EXCEPTIONS = HttpErrorByCode as Partial<Record<number, new (body: object, options: object) => HttpException>>;

/** Returns Nest's exception for a failure, with the failure as its cause. */
export function toHttpException(failure: XPayAuthError): HttpException {
  const [status, body] = [failure.getStatus(), failure.getResponse()];
  const options = { cause: failure, errorCode: failure.code };
  const Exception = EXCEPTIONS[status];
  return Exception === undefined ? new HttpException(body, status, options) : new Exception(body, options);
}

/** The `Retry-After` of a failure that a retry may help and that states no time. */
const DEFAULT_RETRY_AFTER_MS = 1_000;
/** Maximum `Retry-After` of an upstream that callers receive. Lockouts by the option `attempts` are reported in full. */
const LONGEST_UPSTREAM_RETRY_AFTER_MS = 300_000;

/** Milliseconds after which a caller may try again; `undefined` for a failure that a retry does not help. */
function retryAfterMsOf(failure: XPayAuthError): number | undefined {
  const status = failure.getStatus();
  if (status !== 429 && status !== 503) return undefined;
  const askedMs = failure.retryAfterMs ?? DEFAULT_RETRY_AFTER_MS;
  return failure.trouble === 'caller' ? askedMs : Math.min(askedMs, LONGEST_UPSTREAM_RETRY_AFTER_MS);
}

/** Returns the headers of a failure: `Cache-Control: no-store`, and a challenge or `Retry-After` where its status has one. */
export function headersOf(failure: XPayAuthError, context: ChallengeContext | undefined): Record<string, string> {
  const challenge = context === undefined ? undefined : challengeFor(failure, context);
  const waitMs = retryAfterMsOf(failure);
  return {
    'cache-control': 'no-store',
    ...(challenge !== undefined && { 'www-authenticate': challenge }),
    ...(waitMs !== undefined && { 'retry-after': String(Math.max(1, Math.ceil(waitMs / 1_000))) }),
  };
}

/** The body of a failure for a WebSocket or RPC client. It contains the facts that HTTP has in headers. */
export interface FailureMessage extends FailureBody {
  /** As in Nest's own errors of these contexts. */
  readonly status: 'error';
  /** Milliseconds after which to try again. HTTP has `Retry-After` instead. */
  readonly retryAfterMs?: number;
  /** The required scopes, with `insufficient_scope`. */
  readonly requiredScopes?: readonly string[];
}

export function failureMessage(failure: XPayAuthError): FailureMessage {
  return { status: 'error', ...failure.getResponse(), ...detailsOf(failure) };
}

/** Returns the details that HTTP has in headers. */
export function detailsOf(failure: XPayAuthError): Pick<FailureMessage, 'retryAfterMs' | 'requiredScopes'> {
  const retryAfterMs = retryAfterMsOf(failure);
  const { requiredScopes } = failure;
  return {
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    ...(requiredScopes !== undefined && { requiredScopes }),
  };
}
