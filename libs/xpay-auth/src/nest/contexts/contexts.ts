import { type ArgumentsHost, type ExecutionContext, HttpException } from '@nestjs/common';
import { configurationError } from '../../core/errors.js';
import type { Principal } from '../../core/principal.js';
import { headersOf, toHttpException } from '../exceptions/http-exception.js';
import { DEFAULT_INSTANCE } from '../options/resolve-options.js';
import { stripCredentials } from '../request/caller-reader.js';
import type { IncomingRequest } from '../../core/incoming-request.js';
import { decided, decidedByPassport, requirementOf, setUser } from '../requirement/requirement.js';
import { graphqlContext } from './graphql.context.js';
import type { Denial, RequestContext } from './request-context.js';
import { rpcContext } from './rpc.context.js';
import { socketContext } from './socket.context.js';

/** The response headers of exceptions from guards. The challenge in them is that of the instance that rejected the caller. */
const headersByException = new WeakMap<object, Record<string, string>>();

/** HTTP requests, of Express and Fastify. */
const httpContext: RequestContext = {
  operationOf: requestOf,
  requestOf,

  accept(host, principal, strip) {
    const request = requestOf(host);
    setUser(request, principal);
    if (principal !== undefined && strip) stripCredentials(request);
  },

  exceptionOf,

  answer(denial) {
    const { adapter, host } = denial;
    const exception = exceptionOf(denial);
    const response = responseOf(host);
    if (adapter.isHeadersSent(response)) adapter.end(response);
    else adapter.reply(response, exception.getResponse(), exception.getStatus());
  },
};

/** Returns the response headers of an exception from a guard; `undefined` for any other exception. */
export function headersOfException(exception: object): Record<string, string> | undefined {
  return headersByException.get(exception);
}

/** Returns the exception to throw. Sets its response headers already, so that an app's own exception filter sends them too. */
function exceptionOf({ failure, challenge, host, adapter }: Denial): HttpException {
  const exception = toHttpException(failure);
  const headers = headersOf(failure, challenge);
  headersByException.set(exception, headers);
  const response = responseOf(host);
  // A controller may fail after it has sent headers.
  if (adapter.isHeadersSent(response)) return exception;
  for (const [name, value] of Object.entries(headers)) adapter.setHeader(response, name, value);
  return exception;
}

function responseOf(host: ArgumentsHost): unknown {
  return host.switchToHttp().getResponse();
}

/** Returns the request. Avoids `switchToHttp()`, because each call of it creates three functions. */
function requestOf(context: ArgumentsHost): IncomingRequest {
  return context.getArgByIndex<IncomingRequest>(0);
}

/**
 * The kinds of context, by Nest's names. The package of a kind other than HTTP is loaded when the first caller of that kind is
 * rejected, so an app without GraphQL, for example, does not need the package `graphql`.
 */
const CONTEXTS: ReadonlyMap<string, RequestContext> = new Map([
  ['http', httpContext],
  ['graphql', graphqlContext],
  ['ws', socketContext],
  ['rpc', rpcContext],
]);

/** Rejects any other kind of context, because the library does not know where such a context has its credentials. */
const unknownContext: RequestContext = {
  operationOf: refuseUnknown,
  requestOf: refuseUnknown,
  exceptionOf: ({ failure }) => toHttpException(failure),
  answer({ failure }) {
    throw toHttpException(failure);
  },
};

export function contextOf(host: ArgumentsHost): RequestContext {
  return CONTEXTS.get(host.getType<string>()) ?? unknownContext;
}

/** Returns the caller who was authenticated for this operation; `undefined` if there is none. */
export function callerOf(host: ExecutionContext): Principal | undefined {
  const { access, declared, instance = DEFAULT_INSTANCE } = requirementOf(host.getClass(), host.getHandler());
  // A public GraphQL field has no caller, even if another field of the same operation has one.
  if (access === 'public' && host.getType() !== 'http') return undefined;
  const operation = contextOf(host).operationOf(host);
  const isGuarded = declared && access !== 'public';
  return decided(operation, instance) ?? (isGuarded ? undefined : decidedByPassport(operation));
}

function refuseUnknown(host: ArgumentsHost): never {
  throw configurationError(`XPayAuthGuard does not know the context type "${host.getType<string>()}"`);
}
