import { type ArgumentsHost, type ExecutionContext, HttpException } from '@nestjs/common';
import { XPayAuthError } from '../../core/errors.js';
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

/** Headers of exceptions that a guard threw, with the challenge of the instance that rejected the caller. */
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

/** Returns the headers that were set with this exception, if a guard threw it. */
export function headersOfException(exception: object): Record<string, string> | undefined {
  return headersByException.get(exception);
}

/** Returns the exception to throw. Sets its headers before, so that an app's own catch-all filter sends them too. */
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

/** Returns the request. `switchToHttp()` would create three functions on the context each time. */
function requestOf(context: ArgumentsHost): IncomingRequest {
  return context.getArgByIndex<IncomingRequest>(0);
}

/**
 * The kinds of context, by Nest's name for them. The packages of those beside HTTP are loaded when their first caller is
 * rejected, so an app without such a context needs none of them.
 */
const CONTEXTS: ReadonlyMap<string, RequestContext> = new Map([
  ['http', httpContext],
  ['graphql', graphqlContext],
  ['ws', socketContext],
  ['rpc', rpcContext],
]);

/** Refuses any other kind of context, whose credentials we cannot find. */
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

/** Returns the caller that was authenticated for this operation; `undefined` where none was. */
export function callerOf(host: ExecutionContext): Principal | undefined {
  const { access, declared, instance = DEFAULT_INSTANCE } = requirementOf(host.getClass(), host.getHandler());
  // A public field has no caller, also where another field of its operation has one.
  if (access === 'public' && host.getType() !== 'http') return undefined;
  const operation = contextOf(host).operationOf(host);
  const isOurs = declared && access !== 'public';
  return decided(operation, instance) ?? (isOurs ? undefined : decidedByPassport(operation));
}

function refuseUnknown(host: ArgumentsHost): never {
  throw new XPayAuthError('configuration', `XPayAuthGuard does not know the context type "${host.getType<string>()}"`);
}
