import type { ArgumentsHost } from '@nestjs/common';
import { XPayAuthError } from '../../core/errors.js';
import type { RequestContext } from './request-context.js';
import { graphqlContext } from './graphql.context.js';
import { rpcContext } from './rpc.context.js';
import { socketContext } from './socket.context.js';

/**
 * The kinds of context beside HTTP, by Nest's name for them. They are recognised without their packages, which are loaded
 * when the first of their callers is refused: an app without them neither has nor pays for them.
 */
const CONTEXTS: ReadonlyMap<string, RequestContext> = new Map([
  ['graphql', graphqlContext],
  ['ws', socketContext],
  ['rpc', rpcContext],
]);

/** An unknown context is refused: nobody knows where its credentials would be. Throws `configuration`. */
export function contextOf(host: ArgumentsHost): RequestContext {
  const context = CONTEXTS.get(host.getType<string>());
  if (context !== undefined) return context;
  throw new XPayAuthError('configuration', `XPayAuthGuard does not know the context type "${host.getType<string>()}"`);
}

/** Whether {@link contextOf} knows it. */
export function isKnown(host: ArgumentsHost): boolean {
  return CONTEXTS.has(host.getType<string>());
}
