import { HttpException } from '@nestjs/common';
import { FAILURES, type FailureBody, type Trouble, type XPayAuthErrorCode, failureBody } from './failures.js';

export { FAILURES, type Trouble, type XPayAuthErrorCode };

/** The upstream's own names for a request. Quote them to its support. */
export interface UpstreamReference {
  /** The upstream's name for the request (xPay.stream: `uuid`). */
  readonly uuid?: string;
  /** The upstream's name for the error (xPay.stream: `error.tag`). */
  readonly tag?: string;
}

/** Details of a failure beside its code and message. */
export interface XPayAuthErrorDetails {
  /** The underlying error. Must hold no secret: never pass an axios error. */
  readonly cause?: unknown;
  /** Ms after which to try again. */
  readonly retryAfterMs?: number | undefined;
  /** The upstream's own references of the failed request. */
  readonly reference?: UpstreamReference | undefined;
  /** With `insufficient_scope`: the scopes that the route requires. */
  readonly requiredScopes?: readonly string[];
}

/**
 * The one error class of this library. Switch on {@link code}. It is an `HttpException` of Nest with its public status and
 * body, so an exception filter of the app answers it like one of Nest's own. `message` is the text for the operator's log
 * and holds no secret; a caller is sent `getResponse()`.
 */
export class XPayAuthError extends HttpException {
  /** One of the closed set of codes. */
  readonly code: XPayAuthErrorCode;
  /** Ms after which to try again; becomes `Retry-After`. */
  declare readonly retryAfterMs?: number;
  /** The upstream's own references of the failed request. */
  declare readonly reference?: UpstreamReference;
  /** With `insufficient_scope`: the scopes that the route requires. */
  declare readonly requiredScopes?: readonly string[];

  /** For a dialect or an extractor of your own. `message` goes into the log and must hold no secret. */
  constructor(code: XPayAuthErrorCode, message: string, details: XPayAuthErrorDetails = {}) {
    // Without `cause`: `options` is enumerable, so JSON.stringify would print it.
    super(failureBody(code), FAILURES[code].status, { errorCode: code });
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

  /** The party at fault: the caller, the upstream or this application. */
  get trouble(): Trouble {
    return FAILURES[this.code].trouble;
  }

  /** The text for the caller. */
  get publicMessage(): string {
    return FAILURES[this.code].message;
  }
}

/**
 * Returns anything thrown as an {@link XPayAuthError}. An error of other code becomes `fallback`; its name and code are kept as
 * the cause and at the end of the message.
 */
export function asXPayAuthError(thrown: unknown, fallback: XPayAuthErrorCode, message: string): XPayAuthError {
  return thrown instanceof XPayAuthError ? thrown : fromForeignError(thrown, fallback, message);
}

/** Returns an {@link XPayAuthError} for an error of other code, see {@link asXPayAuthError}. */
export function fromForeignError(thrown: unknown, code: XPayAuthErrorCode, message: string): XPayAuthError {
  const cause = nameOnly(thrown);
  return new XPayAuthError(code, `${message} (${cause.message})`, { cause });
}

function define(error: Error, name: 'message' | 'cause', value: unknown): void {
  Object.defineProperty(error, name, { value, enumerable: false, writable: true, configurable: true });
}

/**
 * Returns what may be kept of an error of other code: its name and its code. Its message may quote a secret (`JSON.parse`
 * does, a vault's client might), and so may its other fields (an axios error's request).
 */
function nameOnly(thrown: unknown): Error {
  if (!(thrown instanceof Error)) return new Error(`a thrown ${thrown === null ? 'null' : typeof thrown}`);
  const { name } = thrown;
  const code: unknown = 'code' in thrown ? thrown.code : undefined;
  const words = [name, code].filter(
    (word): word is string => typeof word === 'string' && /^[A-Za-z]\w{0,63}$/.test(word),
  );
  return new Error(words.join(' ') || 'an error');
}
