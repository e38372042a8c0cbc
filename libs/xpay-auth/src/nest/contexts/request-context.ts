import type { ArgumentsHost } from '@nestjs/common';
import type { AbstractHttpAdapter } from '@nestjs/core';
import type { ChallengeContext } from '../../core/challenge.js';
import type { XPayAuthError } from '../../core/errors.js';
import type { Principal } from '../../core/principal.js';
import type { IncomingRequest } from '../../core/incoming-request.js';

/** A failure, and the facts that a context needs to report it. */
export interface Denial {
  readonly failure: XPayAuthError;
  readonly host: ArgumentsHost;
  /** The facts of the challenge of a 401; `undefined` without an instance or a readable request. */
  readonly challenge: ChallengeContext | undefined;
  /** The HTTP adapter of the app. Only the HTTP context may use it, because a microservice has no adapter. */
  readonly adapter: AbstractHttpAdapter;
}

/** Adapter for one kind of context (HTTP, GraphQL, WebSocket or RPC). Reads the caller's request and reports failures. */
export interface RequestContext {
  /**
   * Returns an object that identifies the operation: an HTTP request, a GraphQL operation, or a message. All guards and
   * parameter decorators of an operation get the same object. Different operations get different objects, even if the operations
   * share a connection, a request or a transport's context.
   */
  operationOf(host: ArgumentsHost): object;
  /** Returns the caller's request. Throws `configuration` if it cannot be read. */
  requestOf(host: ArgumentsHost): IncomingRequest;
  /**
   * Called when a guard accepts a caller. Only contexts whose request can be changed have this method.
   *
   * @param principal the caller; `undefined` for an anonymous one
   * @param strip whether to remove the credentials from the request
   */
  accept?(host: ArgumentsHost, principal: Principal | undefined, strip: boolean): void;
  /**
   * Returns Nest's exception for this context, with the failure as its cause. Returns a promise in every context but HTTP,
   * because the package with the class of the exception may have to be loaded.
   */
  exceptionOf(denial: Denial): Error | Promise<Error>;
  /** Returns the result of the exception filter for a failure that a handler threw. */
  answer(denial: Denial): unknown;
}

/** Sets the cause of an exception whose constructor has no parameter for a cause. */
export function withCause<T extends Error>(exception: T, cause: XPayAuthError): T {
  Object.defineProperty(exception, 'cause', { value: cause, writable: true, configurable: true });
  return exception;
}
