import { HttpException } from '@nestjs/common';
import { FAILURES, type FailureBody, type Trouble, type XPayAuthErrorCode, failureBody } from './failures.js';

export { FAILURES, type Trouble, type XPayAuthErrorCode };

/** The upstream's identifiers of a request. Quote them when you contact the upstream's support. */
export interface UpstreamReference {
  /** The upstream's identifier of the request (xPay.stream: `uuid`). */
  readonly uuid?: string;
  /** The upstream's identifier of the error (xPay.stream: `error.tag`). */
  readonly tag?: string;
}

/** Details of a failure in addition to its code and message. */
export interface XPayAuthErrorDetails {
  /** The underlying error. It must not contain a secret, so never pass an axios error. */
  readonly cause?: unknown;
  /** Ms after which to try again. A value that is not finite counts as absent. */
  readonly retryAfterMs?: number | undefined;
  /** The upstream's own references of the failed request. */
  readonly reference?: UpstreamReference | undefined;
  /** With `insufficient_scope`: the scopes that the route requires. A text that is no scope is not in the challenge. */
  readonly requiredScopes?: readonly string[];
}

/**
 * The only error class of this library. Switch on {@link code}. The error is an `HttpException` of Nest with a public status and
 * body, so an exception filter of the app can handle it like an error of Nest. `message` is for the operator's log and contains
 * no secret. Send `getResponse()` to callers, not `message`.
 */
export class XPayAuthError extends HttpException {
  /** The failure code, one of a closed set. */
  readonly code: XPayAuthErrorCode;
  /** Ms after which to try again; sent to callers as `Retry-After`. */
  declare readonly retryAfterMs?: number;
  /** The upstream's own references of the failed request. */
  declare readonly reference?: UpstreamReference;
  /** With `insufficient_scope`: the scopes that the route requires. */
  declare readonly requiredScopes?: readonly string[];

  /** For your own dialect or extractor. `message` is written to the log and must not contain a secret. */
  constructor(code: XPayAuthErrorCode, message: string, details: XPayAuthErrorDetails = {}) {
    // `cause` is not among these options, because HttpException keeps them in an enumerable field, which JSON.stringify prints.
    super(failureBody(code), FAILURES[code].status, { errorCode: code });
    this.name = 'XPayAuthError';
    this.code = code;
    // `message` and `cause` are not enumerable, as in an `Error`. HttpException makes them enumerable, and a filter might then
    // send them with the serialized error.
    define(this, 'message', message);
    if (details.cause === undefined) delete this.cause;
    else define(this, 'cause', details.cause);
    if (Number.isFinite(details.retryAfterMs)) this.retryAfterMs = details.retryAfterMs as number;
    if (details.reference !== undefined) this.reference = details.reference;
    if (details.requiredScopes !== undefined) this.requiredScopes = details.requiredScopes;
  }

  /** Returns a copy of the response body, because several callers may receive the same failure. */
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
 * Returns a thrown `XPayAuthError` unchanged, and converts any other thrown value to an {@link XPayAuthError} with the code
 * `fallback`. The name and the code of a foreign error are kept in the cause and at the end of the message.
 */
export function asXPayAuthError(thrown: unknown, fallback: XPayAuthErrorCode, message: string): XPayAuthError {
  return thrown instanceof XPayAuthError ? thrown : fromForeignError(thrown, fallback, message);
}

/** Converts a foreign error, see {@link asXPayAuthError}. */
export function fromForeignError(thrown: unknown, code: XPayAuthErrorCode, message: string): XPayAuthError {
  const cause = nameOnly(thrown);
  return new XPayAuthError(code, `${message} (${cause.message})`, { cause });
}

/** Returns the failure for a mistake in the app or in its settings. `message` names the mistake and its remedy. */
export function configurationError(message: string): XPayAuthError {
  return new XPayAuthError('configuration', message);
}

/** Returns the reason with which every attempt and every wait ends at shutdown. */
export function shuttingDown(): XPayAuthError {
  return new XPayAuthError('shutting_down', 'The application is shutting down');
}

/** Returns the error of an operation while the shared store cannot be used. */
export function storeIsAway(reason: string): XPayAuthError {
  return new XPayAuthError('store_unavailable', `The shared store is unavailable: ${reason}`, { retryAfterMs: 1_000 });
}

function define(error: Error, name: 'message' | 'cause', value: unknown): void {
  Object.defineProperty(error, name, { value, enumerable: false, writable: true, configurable: true });
}

/**
 * Returns an error with only the name and the code of a foreign error. The message of a foreign error may contain a secret
 * (`JSON.parse` quotes its input), and so may the other fields (an axios error has the request).
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
