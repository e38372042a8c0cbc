import type { ArgumentsHost } from '@nestjs/common';
import type { ChallengeContext } from '../../core/challenge.js';
import type { XPayAuthError } from '../../core/errors.js';
import type { Principal } from '../../core/principal.js';
import type { IncomingRequest } from '../request/incoming-request.js';
import type { Requirement } from '../marks/requirement.js';

/** What this library has to know of a kind of context beside HTTP: who presents what, and how a no is said. */
export interface CallContext {
  /** What one decision holds for, a request or a message: the same object for every guard that stands before it. */
  callOf(host: ArgumentsHost): object;
  /** What the caller presents. Throws `configuration` where nobody can tell. */
  requestOf(host: ArgumentsHost): IncomingRequest;
  /** A guard lets this caller in; `strip` takes the credentials off what they came with. */
  admit(host: ArgumentsHost, requirement: Requirement, principal: Principal, strip: boolean): void;
  /** Whom a guard has let in here, for `@CurrentUser()`. */
  callerOf(host: ArgumentsHost, requirement: Requirement): Principal | undefined;
  /** The context's own exception, with the failure as its cause. */
  exceptionOf(failure: XPayAuthError, challenge: ChallengeContext | undefined): Promise<Error>;
  /** What a filter of this context does with such an exception. */
  answer(exception: Promise<Error>, host: ArgumentsHost): unknown;
}

/** A guard throws it; the exceptions of the other contexts take no cause of their own. */
export function withCause<T extends Error>(exception: T, cause: XPayAuthError): T {
  Object.defineProperty(exception, 'cause', { value: cause, writable: true, configurable: true });
  return exception;
}
