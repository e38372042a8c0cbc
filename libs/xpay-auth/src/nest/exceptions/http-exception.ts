import { HttpException } from '@nestjs/common';
import { HttpErrorByCode } from '@nestjs/common/utils/http-error-by-code.util.js';
import { type ChallengeContext, challengeFor } from '../../core/challenge.js';
import type { XPayAuthError } from '../../core/errors.js';
import type { FailureBody } from '../../core/failure-body.js';

/** Nest's own exception for each status, so that an app's filters recognise it. It has none for 429. */
const EXCEPTIONS = HttpErrorByCode as Partial<Record<number, new (body: object, options: object) => HttpException>>;

/** A failure as Nest's exception, with itself as the cause. */
export function toHttpException(failure: XPayAuthError): HttpException {
  const [status, body] = [failure.getStatus(), failure.getResponse()];
  const options = { cause: failure, errorCode: failure.code };
  const Exception = EXCEPTIONS[status];
  return Exception === undefined ? new HttpException(body, status, options) : new Exception(body, options);
}

/** A caller who is told to come back later is told when. */
const DEFAULT_RETRY_AFTER_MS = 1_000;
/** An upstream's own word is passed on this far: nobody is sent away for a year. Our own lockouts are told in full. */
const LONGEST_UPSTREAM_RETRY_AFTER_MS = 300_000;

/** Ms after which a caller is told to come back; `undefined` where a failure says nothing of that. */
function toldRetryAfterMs(failure: XPayAuthError): number | undefined {
  const status = failure.getStatus();
  if (status !== 429 && status !== 503) return undefined;
  const askedMs = failure.retryAfterMs ?? DEFAULT_RETRY_AFTER_MS;
  return failure.trouble === 'caller' ? askedMs : Math.min(askedMs, LONGEST_UPSTREAM_RETRY_AFTER_MS);
}

/** The headers of a failure: no cache keeps it; a challenge or a time to come back where its status has one. */
export function headersOf(failure: XPayAuthError, context: ChallengeContext | undefined): Record<string, string> {
  const challenge = context === undefined ? undefined : challengeFor(failure, context);
  const toldMs = toldRetryAfterMs(failure);
  return {
    'cache-control': 'no-store',
    ...(challenge !== undefined && { 'www-authenticate': challenge }),
    ...(toldMs !== undefined && { 'retry-after': String(Math.max(1, Math.ceil(toldMs / 1_000))) }),
  };
}

/** A failure as it is told over a socket or by a microservice, where no header can say more. */
export interface FailureMessage extends FailureBody {
  /** As Nest's own errors of these contexts have it. */
  readonly status: 'error';
  /** Where HTTP has `Retry-After`. */
  readonly retryAfterMs?: number;
  /** With `insufficient_scope`: the scopes that are asked for. */
  readonly requiredScopes?: readonly string[];
}

/** Returns what an RPC or WebSocket client receives. */
export function failureMessage(failure: XPayAuthError): FailureMessage {
  return { status: 'error', ...failure.getResponse(), ...detailsOf(failure) };
}

/** Returns what HTTP has headers for. */
export function detailsOf(failure: XPayAuthError): Pick<FailureMessage, 'retryAfterMs' | 'requiredScopes'> {
  const retryAfterMs = toldRetryAfterMs(failure);
  const { requiredScopes } = failure;
  return {
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    ...(requiredScopes !== undefined && { requiredScopes }),
  };
}
