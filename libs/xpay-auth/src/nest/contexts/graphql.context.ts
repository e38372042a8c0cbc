import { type ArgumentsHost, HttpStatus } from '@nestjs/common';
import type { ChallengeContext } from '../../core/challenge.js';
import { type XPayAuthError, configurationError } from '../../core/errors.js';
import { detailsOf, headersOf } from '../exceptions/http-exception.js';
import type { IncomingRequest } from '../../core/incoming-request.js';
import { type RequestContext, withCause } from './request-context.js';
import { setUser } from '../requirement/requirement.js';
import { type UpgradeRequest, holdHandshake, isRequest } from './handshakes.js';
import { takeOff, wholeRequest } from './held-request.js';
import { loadGraphQL } from './packages.js';

/**
 * GraphQL fields. The request is `req`, `request` or `reply.request` in the GraphQL context. An operation over graphql-ws has
 * the credentials with which its connection was opened. There is one decision for each operation, and one for each event of a
 * subscription.
 */
export const graphqlContext: RequestContext = {
  operationOf,

  requestOf(host) {
    const context = contextValue(host);
    const socket = subscriptionSocket(context);
    return socket === undefined ? wholeRequest(requestIn(context)) : socket;
  },

  accept(host, principal, strip) {
    const context = contextValue(host);
    // An anonymous caller does not clear `request.user`, because another instance may have set it for another field.
    if (principal === undefined || subscriptionSocket(context) !== undefined) return;
    const request = requestIn(context);
    if (!isUpgrade(request)) setUser(request, principal);
    if (strip) takeOff(request);
  },

  async exceptionOf({ failure, challenge }) {
    const { GraphQLError } = await loadGraphQL();
    const exception = new GraphQLError(failure.publicMessage, { extensions: extensionsOf(failure, challenge) });
    rejections.add(exception);
    return withCause(exception, failure);
  },

  async answer(denial) {
    throw await this.exceptionOf(denial);
  },
};

const rejections = new WeakSet<object>();

/** Matches each `GraphQLError` with which this library rejected a field, for `@Catch()` and `instanceof`. */
export class GraphQLRejection {
  static [Symbol.hasInstance](thrown: unknown): boolean {
    return rejections.has(thrown as object);
  }
}

function extensionsOf(failure: XPayAuthError, challenge: ChallengeContext | undefined): Record<string, unknown> {
  const { errorCode, statusCode } = failure.getResponse();
  return {
    // Apollo's own code for a 401. Any other code is Nest's name of the status, which has the form of Apollo's codes.
    code: statusCode === 401 ? 'UNAUTHENTICATED' : HttpStatus[statusCode],
    errorCode,
    ...detailsOf(failure),
    // Apollo Server sets this status and these headers on the HTTP response, and removes the field from the response body.
    http: { status: statusCode, headers: new Map(Object.entries(headersOf(failure, challenge))) },
  };
}

function contextValue(host: ArgumentsHost): object {
  const { context } = argumentsOf(host);
  if (typeof context === 'object' && context !== null) return context;
  throw noRequest();
}

function requestIn(context: object): IncomingRequest {
  const { req, request, reply } = context as { req?: unknown; request?: unknown; reply?: { request?: unknown } };
  const found = [req, request, reply?.request].find(isRequest);
  if (found === undefined) throw noRequest();
  return found;
}

/** Whether this request opened a socket. Such a request outlives its operations, so no operation may set its user there. */
function isUpgrade(request: IncomingRequest): boolean {
  const { upgrade } = (request.raw ?? request) as { upgrade?: unknown };
  return upgrade === true;
}

/**
 * Returns the handshake of the graphql-ws connection of this operation, if it has one. The context of graphql-ws is in `req`,
 * where an operation over HTTP has its request, or it is the GraphQL context itself.
 */
function subscriptionSocket(context: object): IncomingRequest | undefined {
  const { req } = context as { req?: unknown };
  for (const connection of [req, context]) {
    const { extra, connectionParams } = (connection ?? {}) as { extra?: Connection; connectionParams?: unknown };
    const { socket, request } = extra ?? {};
    if (isRequest(request) && typeof socket === 'object') return holdHandshake(socket, request, connectionParams);
  }
  return undefined;
}

interface Connection {
  readonly socket?: object;
  readonly request?: UpgradeRequest;
}

function noRequest(): XPayAuthError {
  return configurationError(
    'The GraphQL context holds no HTTP request. Let the option `context` return { req }, or { request, reply } of Fastify.',
  );
}

/** The objects that identify events of subscriptions, by `variableValues`, then by root value. */
const events = new WeakMap<object, WeakMap<object, object>>();

/**
 * Returns an object that belongs to only one operation, or to only one event of a subscription. It is `info.variableValues`,
 * which graphql-js creates for each execution, or an object for each pair of `info.variableValues` and root value. The operations
 * of a batch or of a connection share the request and the context, and all executions of a cached document share
 * `info.operation`. Throws `configuration` if the driver provides no `info.variableValues`.
 */
function operationOf(host: ArgumentsHost): object {
  const { variableValues, rootValue } = argumentsOf(host).info;
  if (isObject(variableValues)) return isObject(rootValue) ? eventOf(variableValues, rootValue) : variableValues;
  throw configurationError('The GraphQL driver hands over no info.variableValues for its operations');
}

/**
 * Returns the object for a pair of `variableValues` and root value. Some executors, such as that of graphql-tools, use one
 * `variableValues` for all events of a subscription. Each event has a separate root value.
 */
function eventOf(variableValues: object, rootValue: object): object {
  let ofExecution = events.get(variableValues);
  if (ofExecution === undefined) events.set(variableValues, (ofExecution = new WeakMap()));
  let event = ofExecution.get(rootValue);
  if (event === undefined) ofExecution.set(rootValue, (event = {}));
  return event;
}

interface ResolverArguments {
  readonly context: unknown;
  readonly info: { readonly variableValues?: unknown; readonly rootValue?: unknown };
}

/** Returns the last two arguments of a resolver. A reference resolver of a federation has three arguments, any other has four. */
function argumentsOf(host: ArgumentsHost): ResolverArguments {
  const args: readonly unknown[] = host.getArgs();
  const [context, info] = args.slice(args.length === 3 ? 1 : 2);
  return { context, info: isObject(info) ? info : {} };
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
