import type { ArgumentsHost, ExecutionContext } from '@nestjs/common';
import { XPayAuthError } from '../../core/errors.js';
import { Principal, meets } from '../../core/principal.js';
import { toHttpException } from '../exceptions/http-exception.js';
import type { XPayInstance } from '../instance/instance.js';
import { DEFAULT_INSTANCE } from '../options/resolve-options.js';
import { schemeOf } from '../request/caller-reader.js';
import { addressOf } from '../../rate-limit/client-address.js';
import { decideOnce, decided, decidedByPassport } from '../requirement/decisions.js';
import { type Requirement, requirementOf } from '../requirement/requirement.js';
import { graphqlContext } from './graphql.context.js';
import { httpContext } from './http.context.js';
import type { RequestContext } from './request-context.js';
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

/** One step of the decision about an operation that is not public. Throws or rejects with an `XPayAuthError`. */
export type Step = (
  host: ExecutionContext,
  context: RequestContext,
  requirement: Requirement,
  instance: XPayInstance,
) => true | Promise<true>;

/** Finds out who the caller is. Answers without a promise when the caller is cached. */
export const authenticate: Step = (host, context, { access }, instance) => {
  const { options, issuer, strategy } = instance;
  const { name, verification } = options;
  const decision = decideOnce(context.operationOf(host), { name, issuer }, () =>
    strategy.validate(context.requestOf(host)),
  );
  const accept = (caller: Principal | undefined): true => {
    context.accept?.(host, caller, verification.stripCredentials);
    return true;
  };
  if (!(decision instanceof Promise)) return accept(decision);
  return decision.then(accept, (thrown: unknown) => {
    const isAnonymous = thrown instanceof XPayAuthError && thrown.code === 'missing_credentials';
    if (isAnonymous && access === 'optional') return accept(undefined);
    // The strategy counts every other rejection. Only the route knows whether anonymous callers are accepted.
    if (isAnonymous && host.getType() === 'http')
      instance.instrumentation.record({ type: 'refused', code: thrown.code });
    throw thrown;
  });
};

/** Checks the scopes. Accepts only a caller that this instance authenticated for this operation. */
export const authorize: Step = (host, context, { access, all, any }, { options, issuer, audit }) => {
  // `@OptionalAuth()` accepts anonymous callers and names no scope.
  if (access === 'optional') return true;
  const caller = decided(context.operationOf(host), options.name);
  if (!Principal.isIssuedBy(issuer, caller)) {
    throw new XPayAuthError('missing_credentials', 'No XPayAuthGuard of this instance authenticated a caller');
  }
  if (meets(caller.scopes, { all, any })) return true;
  const requiredScopes = [...all, ...any];
  const { address } = addressOf(context.requestOf(host));
  audit({ type: 'denied', username: caller.username, address, requiredScopes });
  throw new XPayAuthError('insufficient_scope', `The caller lacks ${requiredScopes.join(' ')}`, { requiredScopes });
};

/**
 * Records that a handler rejects its authenticated caller: with `insufficient_scope`, where it knows the required scopes and no
 * decorator does, or with `invalid_request`. Any other rejection that leaves a handler comes from a check that has recorded it.
 */
export function auditRejection(failure: XPayAuthError, host: ArgumentsHost, instances: readonly XPayInstance[]): void {
  const { code, requiredScopes = [], message: reason, reference } = failure;
  if (code !== 'insufficient_scope' && code !== 'invalid_request') return;
  const context = contextOf(host);
  const operation = context.operationOf(host);
  for (const { options, audit } of instances) {
    const username = decided(operation, options.name)?.username;
    if (username === undefined) continue;
    const request = context.requestOf(host);
    const { address } = addressOf(request);
    if (code === 'insufficient_scope') audit({ type: 'denied', username, address, requiredScopes });
    else audit({ type: 'refused', scheme: schemeOf(request), username, address, reason, reference });
    return;
  }
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
