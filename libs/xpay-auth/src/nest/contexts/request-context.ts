import type { ArgumentsHost } from '@nestjs/common';
import type { AbstractHttpAdapter } from '@nestjs/core';
import type { ChallengeContext } from '../../core/challenge.js';
import type { XPayAuthError } from '../../core/errors.js';
import type { Principal } from '../../core/principal.js';
import type { IncomingRequest } from '../../core/incoming-request.js';

/** A failure, with what a context may need to report it. */
export interface Denial {
  readonly failure: XPayAuthError;
  readonly host: ArgumentsHost;
  /** The facts of the challenge of a 401; `undefined` without an instance or a readable request. */
  readonly challenge: ChallengeContext | undefined;
  /** The HTTP adapter of the app. Only HTTP may use it: a microservice has none. */
  readonly adapter: AbstractHttpAdapter;
}

/** Adapter for a kind of context (HTTP, GraphQL, WebSocket, RPC): reads what is presented, and reports failures. */
export interface RequestContext {
  /**
   * Returns the operation that one decision is for: an HTTP request, a GraphQL operation, or a message. Returns the same
   * object to each of its guards and parameters, and another one for every other operation, also over the same connection, request or context.
   */
  operationOf(host: ArgumentsHost): object;
  /** Returns the caller's request. Throws `configuration` if it cannot be read. */
  requestOf(host: ArgumentsHost): IncomingRequest;
  /**
   * Called when a guard accepts this caller; `undefined` is an anonymous one. For contexts that have a request to write to.
   *
   * @param strip whether to remove the credentials from the request
   */
  accept?(host: ArgumentsHost, principal: Principal | undefined, strip: boolean): void;
  /** The context's own exception, with the failure as its cause. Only HTTP has it without loading a package. */
  exceptionOf(denial: Denial): Error | Promise<Error>;
  /** Returns the result of an exception filter for a failure that left a handler. */
  answer(denial: Denial): unknown;
}

/** Adds the cause to an exception whose constructor takes none. */
export function withCause<T extends Error>(exception: T, cause: XPayAuthError): T {
  Object.defineProperty(exception, 'cause', { value: cause, writable: true, configurable: true });
  return exception;
}
