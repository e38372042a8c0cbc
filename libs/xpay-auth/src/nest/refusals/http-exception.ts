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
import { STATUS_CODES } from 'node:http';
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

/** The body of a failure, in the shape of Nest's own errors. */
export interface FailureBody {
  /** The HTTP status once more. */
  readonly statusCode: number;
  /** The name of the status, such as `Unauthorized`. */
  readonly error: string;
  /** Says nothing of accounts, upstreams or reasons. */
  readonly message: string;
  /** One of the closed set of codes: what a client switches on. */
  readonly errorCode: string;
}

/** What a caller may read of a failure. */
export function failureBody({ status, code, publicMessage }: XPayAuthError): FailureBody {
  return { statusCode: status, error: STATUS_CODES[status] ?? 'Error', message: publicMessage, errorCode: code };
}

/** A failure as Nest's exception, with itself as the cause. */
export function toHttpException(failure: XPayAuthError): HttpException {
  const { status, code } = failure;
  const body = failureBody(failure);
  const options = { cause: failure, errorCode: code };
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
  if (failure.status !== 429 && failure.status !== 503) return undefined;
  const askedMs = failure.retryAfterMs ?? DEFAULT_RETRY_AFTER_MS;
  return failure.trouble === 'caller' ? askedMs : Math.min(askedMs, LONGEST_UPSTREAM_RETRY_AFTER_MS);
}

/** The headers of a failure: no cache keeps it; a challenge or a time to come back where its status has one. */
export function failureHeaders(failure: XPayAuthError, context: ChallengeContext | undefined): Record<string, string> {
  const challenge = context === undefined ? undefined : challengeFor(failure, context);
  const toldMs = toldRetryAfterMs(failure);
  return {
    'cache-control': 'no-store',
    ...(challenge !== undefined && { 'www-authenticate': challenge }),
    ...(toldMs !== undefined && { 'retry-after': String(Math.max(1, Math.ceil(toldMs / 1_000))) }),
  };
}
