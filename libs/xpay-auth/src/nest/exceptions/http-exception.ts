import {
  BadGatewayException,
  BadRequestException,
  ForbiddenException,
  GatewayTimeoutException,
  HttpException,
  InternalServerErrorException,
  ServiceUnavailableException,
  UnauthorizedException,
} from '@nestjs/common';
import { type ChallengeContext, challengeFor } from '../../core/challenge.js';
import type { XPayAuthError } from '../../core/errors.js';

/** Nest's own exception for each status, so that an app's filters recognise it. Of 429 Nest has none. */
const EXCEPTIONS = {
  400: BadRequestException,
  401: UnauthorizedException,
  403: ForbiddenException,
  500: InternalServerErrorException,
  502: BadGatewayException,
  503: ServiceUnavailableException,
  504: GatewayTimeoutException,
} as const;

/** A failure as Nest's exception, with itself as the cause. */
export function toHttpException(failure: XPayAuthError): HttpException {
  const [status, body] = [failure.getStatus(), failure.getResponse()];
  const options = { cause: failure, errorCode: failure.code };
  const Exception = EXCEPTIONS[status as keyof typeof EXCEPTIONS] as
    (typeof EXCEPTIONS)[keyof typeof EXCEPTIONS] | undefined;
  return Exception === undefined ? new HttpException(body, status, options) : new Exception(body, options);
}

/** A caller who is told to come back later is told when. */
const DEFAULT_RETRY_AFTER_MS = 1_000;
/** An upstream's own word is passed on this far: nobody is sent away for a year. Our own lockouts are told in full. */
const LONGEST_UPSTREAM_RETRY_AFTER_MS = 300_000;

/** Ms after which a caller is told to come back; `undefined` where a failure says nothing of that. */
export function toldRetryAfterMs(failure: XPayAuthError): number | undefined {
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
