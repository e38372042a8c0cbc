import type { ArgumentsHost } from '@nestjs/common';
import type { RpcException } from '@nestjs/microservices';
import { type Observable, from, mergeMap, of } from 'rxjs';
import { configurationError } from '../../core/errors.js';
import type { IncomingRequest } from '../../core/incoming-request.js';
import { type Denial, type RequestContext, withCause } from './request-context.js';
import { failureMessage } from '../exceptions/http-exception.js';
import { endStreamCall, grpcCallOf, grpcFailure, requestOfCall } from './grpc-call.js';
import { MessageKey } from './message-key.js';
import { loadMicroservices } from './packages.js';

/**
 * Messages of a microservice, gRPC calls included. Credentials are read from `authorization` in the metadata of the transport
 * (gRPC, TCP and Redis have metadata), or by an extractor.
 */
export const rpcContext: RequestContext = {
  // The key goes at the end, because Nest reads only the first arguments: payload and context. A gRPC call needs no key.
  operationOf: (host) => grpcCallOf(host) ?? MessageKey.in(host.getArgs(), Infinity),

  requestOf(host): IncomingRequest {
    const data = host.switchToRpc().getData<unknown>();
    const call = grpcCallOf(host);
    if (call !== undefined) return { ...requestOfCall(call), rpc: { data, context: call.metadata } };
    const context = contextOf(host);
    const lines = metadataOf(context);
    return {
      headers: Object.fromEntries(lines.map(([name, value]) => [name.toLowerCase(), value])),
      rawHeaders: lines.flat(),
      rpc: { data, context },
    };
  },

  accept(host, principal, strip) {
    if (principal !== undefined && strip) grpcCallOf(host)?.metadata.remove('authorization');
  },

  async exceptionOf(denial) {
    const exception = await rpcException(denial);
    // `endStreamCall` has ended the call. A promise that never settles stops the next guard and the handler. A rejection would
    // end the process.
    if (endStreamCall(denial.host, exception.getError() as object)) return new Promise<never>(() => undefined);
    return exception;
  },

  answer: (denial): Observable<unknown> =>
    from(Promise.all([loadMicroservices(), rpcException(denial)])).pipe(
      mergeMap(([{ BaseRpcExceptionFilter }, exception]) => {
        if (endStreamCall(denial.host, exception.getError() as object)) return of(undefined);
        return new BaseRpcExceptionFilter<Error, never>().catch(exception, denial.host);
      }),
    ),
};

async function rpcException(denial: Denial): Promise<RpcException> {
  const { failure, host } = denial;
  const { RpcException } = await loadMicroservices();
  const call = grpcCallOf(host);
  const message = call === undefined ? failureMessage(failure) : grpcFailure(denial, call);
  return withCause(new RpcException(message), failure);
}

/** Returns the transport's context object. Some transports have one for each message, others one for each connection. */
function contextOf(host: ArgumentsHost): object {
  const context = host.switchToRpc().getContext<unknown>();
  if (typeof context === 'object' && context !== null) return context;
  throw configurationError('The transport hands over no context with its messages');
}

/** Returns the transport's metadata as header lines. A value that is not a string becomes an empty string. */
function metadataOf(context: object): [name: string, value: string][] {
  const { getMetadata } = context as { getMetadata?: () => unknown };
  const metadata = typeof getMetadata === 'function' ? (getMetadata.call(context) ?? {}) : {};
  return Object.entries(metadata).map(([name, value]) => [name, typeof value === 'string' ? value : '']);
}
