import { type ArgumentsHost, HttpStatus } from '@nestjs/common';
import type { ChallengeContext } from '../../core/challenge.js';
import { XPayAuthError } from '../../core/errors.js';
import { detailsOf, headersOf } from '../exceptions/http-exception.js';
import type { IncomingRequest } from '../../core/incoming-request.js';
import { type RequestContext, withCause } from './request-context.js';
import { setUser } from '../requirement/requirement.js';
import { type UpgradeRequest, holdHandshake, isRequest } from './handshakes.js';
import { takeOff, wholeRequest } from './held-request.js';
import { loadGraphQL } from './packages.js';

/**
 * Fields of GraphQL. The request is looked for in the GraphQL context, as `req`, `request` or `reply.request`. An operation
 * over graphql-ws presents what its connection was opened with. Each operation is one decision, and so is each event of a
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
    // Another field of the operation may have a caller, of another instance.
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

/** A `GraphQLError` by which this library rejected a field, for `@Catch()` and `instanceof`: no error of the app. */
export class GraphQLRejection {
  static [Symbol.hasInstance](thrown: unknown): boolean {
    return rejections.has(thrown as object);
  }
}

function extensionsOf(failure: XPayAuthError, challenge: ChallengeContext | undefined): Record<string, unknown> {
  const { errorCode, statusCode } = failure.getResponse();
  return {
    // Apollo's code where it has one, and in its manner where it has none.
    code: statusCode === 401 ? 'UNAUTHENTICATED' : HttpStatus[statusCode],
    errorCode,
    ...detailsOf(failure),
    // Apollo's own: it sets them on the answer and takes them out of it.
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

/** Whether this request opened a socket. It outlives every operation, so none may leave its user there. */
function isUpgrade(request: IncomingRequest): boolean {
  const { upgrade } = (request.raw ?? request) as { upgrade?: unknown };
  return upgrade === true;
}

/** Returns the connection parameters of a graphql-ws connection. Its context is where HTTP has the request. */
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
  return new XPayAuthError(
    'configuration',
    'The GraphQL context holds no HTTP request. Let the option `context` return { req }, or { request, reply } of Fastify.',
  );
}

/** Keys of events, by `variableValues`, then by root value. */
const events = new WeakMap<object, WeakMap<object, object>>();

/**
 * Returns an object that belongs to one operation, or to one event of a subscription: `info.variableValues`, which graphql-js
 * creates for each execution. Requests and contexts are shared by the operations of a batch and of a connection, and
 * `info.operation` by all executions of a document that a server keeps. Throws `configuration` where the driver has none.
 */
function operationOf(host: ArgumentsHost): object {
  const { variableValues, rootValue } = argumentsOf(host).info;
  if (isObject(variableValues)) return isObject(rootValue) ? eventOf(variableValues, rootValue) : variableValues;
  throw new XPayAuthError('configuration', 'The GraphQL driver hands over no info.variableValues for its operations');
}

/** Executors such as that of graphql-tools use one `variableValues` for all events of a subscription; an event is the root value. */
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

/** The last two arguments of a resolver. A reference resolver of a federation has one argument before them, others have two. */
function argumentsOf(host: ArgumentsHost): ResolverArguments {
  const args: readonly unknown[] = host.getArgs();
  const [context, info] = args.slice(args.length === 3 ? 1 : 2);
  return { context, info: isObject(info) ? info : {} };
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
