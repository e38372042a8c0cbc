import { type ArgumentsHost, HttpException } from '@nestjs/common';
import { isAbsent } from '../../core/json-object.js';
import { Principal } from '../../core/principal.js';
import { headersOf, toHttpException } from '../exceptions/http-exception.js';
import { type IncomingRequest, requestOf, stripCredentials } from '../request/incoming-request.js';
import type { Denial, RequestContext } from './request-context.js';

/** Headers of exceptions that a guard threw: the instance that rejected the caller made their challenge. */
const headersByException = new WeakMap<object, Record<string, string>>();

/** HTTP requests, of Express and Fastify. */
export const httpContext: RequestContext = {
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

/**
 * Sets `request.user`, which is Passport's convention. What the app put there stays. `undefined`, for an anonymous caller,
 * removes only a principal.
 */
export function setUser(request: IncomingRequest, principal: Principal | undefined): void {
  const isFree = principal !== undefined && isAbsent(request.user);
  if (isFree || Principal.isPrincipal(request.user)) request.user = principal;
}

/** Returns the headers that were set with this exception, if a guard threw it. */
export function headersOfException(exception: object): Record<string, string> | undefined {
  return headersByException.get(exception);
}

/** The exception to throw. Headers are set before, so that an app's own catch-all filter sends them too. */
function exceptionOf({ failure, challenge, host, adapter }: Denial): HttpException {
  const exception = toHttpException(failure);
  const headers = headersOf(failure, challenge);
  headersByException.set(exception, headers);
  const response = responseOf(host);
  // A controller may have begun to answer before it failed.
  if (adapter.isHeadersSent(response)) return exception;
  for (const [name, value] of Object.entries(headers)) adapter.setHeader(response, name, value);
  return exception;
}

function responseOf(host: ArgumentsHost): unknown {
  return host.switchToHttp().getResponse();
}
