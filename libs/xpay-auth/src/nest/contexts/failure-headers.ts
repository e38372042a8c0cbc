import { type ArgumentsHost, HttpException } from '@nestjs/common';
import { XPayAuthError } from '../../core/errors.js';
import type { IncomingRequest } from '../../core/incoming-request.js';
import type { XPayInstances } from '../instance/xpay-instances.js';
import { headersOf } from '../exceptions/http-exception.js';
import { ByApp } from '../request/by-app.js';
import { headersOfException } from './contexts.js';

const instancesOfApps = new ByApp<XPayInstances>();

/**
 * Returns the response headers for a failure of this library: `Cache-Control: no-store`, `WWW-Authenticate` with a 401 or
 * 403, `Retry-After` with a 429 or 503. Names are in lower case. An exception filter of an app may pass any error that it
 * catches. Headers are returned for an `XPayAuthError`, and for an exception from a guard with an `XPayAuthError` as its cause.
 * Returns `{}` for any other error, and in any context other than HTTP. On a platform other than Express and Fastify, a 401 that
 * no guard threw has no challenge.
 *
 * RFC 9110 §10.2.3 and §11.6.1, RFC 6750 §3, RFC 9111 §5.2.2.5.
 */
export function failureHeaders(error: unknown, host: ArgumentsHost): Record<string, string> {
  const failure = failureIn(error);
  if (failure === undefined || host.getType() !== 'http') return {};
  const known = headersOfException(error as object);
  if (known !== undefined) return { ...known };
  const request = host.switchToHttp().getRequest<IncomingRequest>();
  const instance = instancesOfApps.of(request)?.answering();
  return headersOf(failure, instance?.strategy.challengeContext(request));
}

/** Records the instances of an app. `platformApp` is Express's `app` or Fastify's root instance. */
export function registerApp(platformApp: unknown, instances: XPayInstances): void {
  instancesOfApps.set(platformApp, instances);
}

/** Returns the failure in an error. An exception whose status differs from that of its cause is an answer of the app's own. */
function failureIn(error: unknown): XPayAuthError | undefined {
  if (error instanceof XPayAuthError) return error;
  if (!(error instanceof HttpException) || !(error.cause instanceof XPayAuthError)) return undefined;
  return error.getStatus() === error.cause.getStatus() ? error.cause : undefined;
}
