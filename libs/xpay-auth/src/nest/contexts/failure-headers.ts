import { type ArgumentsHost, HttpException } from '@nestjs/common';
import { XPayAuthError } from '../../core/errors.js';
import type { IncomingRequest } from '../../core/incoming-request.js';
import type { XPayInstances } from '../instance/xpay-instances.js';
import { headersOf } from '../exceptions/http-exception.js';
import { headersOfException } from './contexts.js';

/** The instances of each app in this process, by the object that its platform puts on requests. */
const instancesByApp = new WeakMap<object, XPayInstances>();

/**
 * Returns the response headers for a failure of this library: `Cache-Control: no-store`, `WWW-Authenticate` with a 401 or
 * 403, `Retry-After` with a 429 or 503. Names are in lower case. For exception filters of an app, which may pass whatever
 * they catch: an `XPayAuthError`, or the exception that a guard threw with one as its cause. Any other error, and a context
 * that is not HTTP, has no headers: `{}`. On a platform other than Express and Fastify a 401 has no challenge here.
 *
 * RFC 9110 §10.2.3 and §11.6.1, RFC 6750 §3, RFC 9111 §5.2.2.5.
 */
export function failureHeaders(error: unknown, host: ArgumentsHost): Record<string, string> {
  const failure = failureIn(error);
  if (failure === undefined || host.getType() !== 'http') return {};
  const known = headersOfException(error as object);
  if (known !== undefined) return { ...known };
  const request = host.switchToHttp().getRequest<IncomingRequest>();
  const instance = instancesOf(request)?.answering();
  return headersOf(failure, instance?.strategy.challengeContext(request));
}

/** An app whose instances make the challenge, by Express's `app` or Fastify's root instance. */
export function registerApp(platformApp: unknown, instances: XPayInstances): void {
  if (isObject(platformApp)) instancesByApp.set(platformApp, instances);
}

/** Another status than that of the cause is the app's own answer. */
function failureIn(error: unknown): XPayAuthError | undefined {
  if (error instanceof XPayAuthError) return error;
  if (!(error instanceof HttpException) || !(error.cause instanceof XPayAuthError)) return undefined;
  return error.getStatus() === error.cause.getStatus() ? error.cause : undefined;
}

/** Fastify derives the instance of a plugin from the root's (its `server` has the root as a prototype). */
function instancesOf(request: unknown): XPayInstances | undefined {
  const { app, server } = (request ?? {}) as { app?: unknown; server?: unknown };
  for (const found of [app, server]) {
    for (let one: unknown = found; isObject(one); one = Object.getPrototypeOf(one)) {
      const instances = instancesByApp.get(one);
      if (instances !== undefined) return instances;
    }
  }
  return undefined;
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}
