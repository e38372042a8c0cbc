import type { ArgumentsHost } from '@nestjs/common';
import type { ChallengeContext } from '../../core/challenge.js';
import type { XPayAuthError } from '../../core/errors.js';
import type { Principal } from '../../core/principal.js';
import type { IncomingRequest } from '../request/incoming-request.js';

/** Adapter for a kind of context beside HTTP: reads what is presented, and reports a refusal. */
export interface RequestContext {
  /**
   * What one decision holds for: a GraphQL operation, or a message. Returns the same object to each of its guards and
   * parameters, and another one for every other operation, also over the same connection, request or context.
   */
  operationOf(host: ArgumentsHost): object;
  /** What the caller presents. Throws `configuration` where nobody can tell. */
  requestOf(host: ArgumentsHost): IncomingRequest;
  /** Called when a guard accepts this caller; `strip` takes the credentials off what they came with. */
  accept(host: ArgumentsHost, principal: Principal, strip: boolean): void;
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
