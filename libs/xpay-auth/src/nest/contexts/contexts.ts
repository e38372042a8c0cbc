import type { ArgumentsHost } from '@nestjs/common';
import { XPayAuthError } from '../../core/errors.js';
import { toHttpException } from '../exceptions/http-exception.js';
import type { RequestContext } from './request-context.js';
import { graphqlContext } from './graphql.context.js';
import { httpContext } from './http.context.js';
import { rpcContext } from './rpc.context.js';
import { socketContext } from './socket.context.js';

/**
 * The kinds of context, by Nest's name for them. Those beside HTTP are recognised without their packages, which are loaded
 * when the first of their callers is rejected: an app without them neither has nor loads them.
 */
const CONTEXTS: ReadonlyMap<string, RequestContext> = new Map([
  ['http', httpContext],
  ['graphql', graphqlContext],
  ['ws', socketContext],
  ['rpc', rpcContext],
]);

/** Any other kind of context is refused, because we do not know where its credentials would be. */
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

function refuseUnknown(host: ArgumentsHost): never {
  throw new XPayAuthError('configuration', `XPayAuthGuard does not know the context type "${host.getType<string>()}"`);
}
