import { HttpException } from '@nestjs/common';
import { type FailureBody, type FailureStatus, failureBody } from './failure-body.js';
import { nameOnly } from './name-only.js';

/** Whose trouble a failure is. An upstream's trouble is never the caller's fault. */
export type Trouble = 'caller' | 'upstream' | 'ours';

interface FailureKind {
  readonly status: FailureStatus;
  readonly trouble: Trouble;
  /** What a stranger may read: says nothing of accounts, upstreams or reasons. */
  readonly message: string;
}

/**
 * Every way to fail, and the HTTP status it becomes at the edge. The set is closed: a code exists when it has a row here.
 * Statuses after RFC 9110 §15.5 and §15.6, RFC 6750 §3.1 and RFC 6585 §4.
 */
export const FAILURES = {
  /** The request has no credentials. */
  missing_credentials: { status: 401, trouble: 'caller', message: 'Authentication is required' },
  /** The upstream rejected the username and key, or the instance does not accept this scheme. */
  invalid_credentials: { status: 401, trouble: 'caller', message: 'Invalid credentials' },
  /** The bearer token is unknown, expired or revoked. */
  invalid_token: { status: 401, trouble: 'caller', message: 'Invalid or expired token' },
  /** The credentials are malformed, or the request has more than one kind. */
  invalid_request: { status: 400, trouble: 'caller', message: 'The credentials are malformed or ambiguous' },
  /** The caller is authenticated but lacks a scope of the route. */
  insufficient_scope: { status: 403, trouble: 'caller', message: 'Insufficient scope' },
  /** A limit of the option `attempts` is reached. */
  too_many_attempts: { status: 429, trouble: 'caller', message: 'Too many attempts' },
  /** The upstream is unreachable or returned 5xx. */
  upstream_unavailable: { status: 503, trouble: 'upstream', message: 'The authentication service is unavailable' },
  /** The upstream returned 429. */
  upstream_rate_limited: { status: 503, trouble: 'upstream', message: 'The authentication service is busy' },
  /** The number of concurrent checks has reached `verification.maxConcurrent`. */
  overloaded: { status: 503, trouble: 'ours', message: 'Too many checks at once' },
  /** The shared store is unavailable, and the request cannot be decided without it. */
  store_unavailable: { status: 503, trouble: 'ours', message: 'The session store is unavailable' },
  /** The application is shutting down. */
  shutting_down: { status: 503, trouble: 'ours', message: 'The service is shutting down' },
  /** The upstream did not respond in time. */
  upstream_timeout: { status: 504, trouble: 'upstream', message: 'The authentication service did not answer in time' },
  /** The response of the upstream cannot be parsed. */
  upstream_malformed: {
    status: 502,
    trouble: 'upstream',
    message: 'The authentication service gave an unusable answer',
  },
  /** The upstream returned a business error that is not a rejection of credentials. */
  upstream_business_error: { status: 502, trouble: 'upstream', message: 'The upstream service reported an error' },
  /** The upstream rejected the app account or its new token. */
  credentials_rejected: { status: 502, trouble: 'ours', message: 'The upstream service refused this application' },
  /** The configuration of the app is wrong; only the log contains the details. */
  configuration: { status: 500, trouble: 'ours', message: 'Internal server error' },
} as const satisfies Record<string, FailureKind>;

/**
 * The closed set of failure codes. `XPayAuthError.getStatus()` returns the HTTP status of each.
 * @useDeclaredType
 */
export type XPayAuthErrorCode = keyof typeof FAILURES;

/** What the upstream calls the failed request in its own records: quote it when asking its support. */
export interface UpstreamReference {
  /** The upstream's name for the request (xPay.stream: `uuid`). */
  readonly uuid?: string;
  /** The upstream's name for the error (xPay.stream: `error.tag`). */
  readonly tag?: string;
}

/** What a failure may carry beside its code and message. */
export interface XPayAuthErrorDetails {
  /** What went wrong underneath. Must hold no secret: an axios error is never passed here. */
  readonly cause?: unknown;
  /** Ms after which another try makes sense. */
  readonly retryAfterMs?: number | undefined;
  /** The upstream's own references of the failed request. */
  readonly reference?: UpstreamReference | undefined;
  /** With `insufficient_scope`: the scopes the route asks for. */
  readonly requiredScopes?: readonly string[];
}

/**
 * The one error class of this library. Switch on {@link code}. It is an `HttpException` of Nest with its public status and
 * body, so an exception filter of the app answers it like one of Nest's own. `message` is the text for the operator's log
 * and holds no secret; a caller is sent `getResponse()`.
 */
export class XPayAuthError extends HttpException {
  /** What went wrong, of the closed set. */
  readonly code: XPayAuthErrorCode;
  /** Ms after which another try makes sense; becomes `Retry-After`. */
  declare readonly retryAfterMs?: number;
  /** The upstream's own references of the failed request. */
  declare readonly reference?: UpstreamReference;
  /** With `insufficient_scope`: the scopes the route asks for. */
  declare readonly requiredScopes?: readonly string[];

  /** For a dialect or an extractor of your own. `message` goes into the log and must hold no secret. */
  constructor(code: XPayAuthErrorCode, message: string, details: XPayAuthErrorDetails = {}) {
    const { status, message: publicMessage } = FAILURES[code];
    // Without `cause`: `options` is enumerable, so JSON.stringify would print it.
    super(failureBody(code, status, publicMessage), status, { errorCode: code });
    this.name = 'XPayAuthError';
    this.code = code;
    // As an Error has both. HttpException makes them enumerable, and filters serialize what they catch.
    define(this, 'message', message);
    if (details.cause === undefined) delete this.cause;
    else define(this, 'cause', details.cause);
    if (details.retryAfterMs !== undefined) this.retryAfterMs = details.retryAfterMs;
    if (details.reference !== undefined) this.reference = details.reference;
    if (details.requiredScopes !== undefined) this.requiredScopes = details.requiredScopes;
  }

  /** Returns a copy of the response body: one failure may be answered to many callers. */
  override getResponse(): FailureBody {
    return { ...(super.getResponse() as FailureBody) };
  }

  /** Whether the caller, the upstream or this application is in trouble. */
  get trouble(): Trouble {
    return FAILURES[this.code].trouble;
  }

  /** What a caller may read. */
  get publicMessage(): string {
    return FAILURES[this.code].message;
  }
}

/**
 * Any thrown thing as an {@link XPayAuthError}. A stranger becomes `fallback`, and of it only its name and code are kept as
 * the cause: its message may quote a secret (`JSON.parse` does), and so may the rest of it (an axios error's request).
 */
export function asXPayAuthError(thrown: unknown, fallback: XPayAuthErrorCode, message: string): XPayAuthError {
  return thrown instanceof XPayAuthError ? thrown : new XPayAuthError(fallback, message, { cause: nameOnly(thrown) });
}

function define(error: Error, name: 'message' | 'cause', value: unknown): void {
  Object.defineProperty(error, name, { value, enumerable: false, writable: true, configurable: true });
}
