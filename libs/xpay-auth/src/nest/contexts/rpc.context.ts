import type { ArgumentsHost } from '@nestjs/common';
import { type Observable, from, mergeMap } from 'rxjs';
import { XPayAuthError } from '../../core/errors.js';
import type { IncomingRequest } from '../request/incoming-request.js';
import { type RequestContext, withCause } from './request-context.js';
import { failureMessage } from '../exceptions/http-exception.js';
import { MessageKey } from './message-key.js';
import { loadMicroservices } from './packages.js';

/**
 * Messages of a microservice. Credentials stand in the transport's metadata as `authorization`, where it has metadata (TCP
 * and Redis), or wherever an extractor finds them.
 */
export const rpcContext: RequestContext = {
  // At the end, where Nest reads nothing: payload, context, and the call of gRPC come first.
  operationOf: (host) => MessageKey.in(host.getArgs(), Infinity),

  requestOf(host): IncomingRequest {
    const context = contextOf(host);
    const lines = metadataOf(context);
    return {
      headers: Object.fromEntries(lines.map(([name, value]) => [name.toLowerCase(), value])),
      rawHeaders: lines.flat(),
      rpc: { data: host.switchToRpc().getData<unknown>(), context },
    };
  },

  async exceptionOf({ failure }) {
    const { RpcException } = await loadMicroservices();
    return withCause(new RpcException(failureMessage(failure)), failure);
  },

  answer: (denial): Observable<never> =>
    from(Promise.all([loadMicroservices(), rpcContext.exceptionOf(denial)])).pipe(
      mergeMap(([{ BaseRpcExceptionFilter }, thrown]) => {
        return new BaseRpcExceptionFilter<Error, never>().catch(thrown, denial.host);
      }),
    ),
};

/** The transport's own. Some have one for each message, others one for each connection. */
function contextOf(host: ArgumentsHost): object {
  const context = host.switchToRpc().getContext<unknown>();
  if (typeof context === 'object' && context !== null) return context;
  throw new XPayAuthError('configuration', 'The transport hands over no context with its messages');
}

/** The text in the transport's metadata, as lines of a header; a value that is no text is an empty line. */
function metadataOf(context: object): [name: string, value: string][] {
  const { getMetadata } = context as { getMetadata?: () => unknown };
  const metadata = typeof getMetadata === 'function' ? (getMetadata.call(context) ?? {}) : {};
  return Object.entries(metadata).map(([name, value]) => [name, typeof value === 'string' ? value : '']);
}
