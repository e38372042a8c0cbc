import {
  type ArgumentsHost,
  type CanActivate,
  type ExecutionContext,
  Inject,
  Injectable,
  Logger,
  type OnModuleInit,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { XPayAuthError, asXPayAuthError } from '../../core/errors.js';
import { swallowErrors } from '../../core/instrumentation.js';
import { Principal, meets } from '../../core/principal.js';
import { addressOf } from '../../rate-limit/client-address.js';
import { contextOf } from '../contexts/contexts.js';
import { registerApp } from '../contexts/failure-headers.js';
import type { Denial, RequestContext } from '../contexts/request-context.js';
import type { XPayInstance } from '../instance/instance.js';
import { XPayInstances } from '../instance/xpay-instances.js';
import { schemeOf } from '../request/caller-reader.js';
import { type Requirement, decided, decisionOf, recordDecision, requirementOf } from '../requirement/requirement.js';

/** One step of the access decision about an operation that is not public. Throws or rejects with an `XPayAuthError`. */
type Step = (
  host: ExecutionContext,
  context: RequestContext,
  requirement: Requirement,
  instance: XPayInstance,
) => true | Promise<true>;

/** The part of a step after the caller is known. The caller is `undefined` if it is anonymous. */
type CallerStep = (caller: Principal | undefined, ...step: Parameters<Step>) => true;

/** Authenticates the caller and checks the scopes. Returns no promise if the caller is cached. */
export const authenticate: Step = (host, context, requirement, instance) => {
  const { options, issuer, strategy } = instance;
  const operation = context.operationOf(host);
  const decision =
    decisionOf(operation, options.name, issuer) ??
    recordDecision(operation, options.name, strategy.validate(context.requestOf(host)));
  if (!(decision instanceof Promise)) return accept(decision, host, context, requirement, instance);
  const accepted = (caller: Principal | undefined): true => accept(caller, host, context, requirement, instance);
  return decision.then(accepted, (thrown: unknown) => {
    const isAnonymous = thrown instanceof XPayAuthError && thrown.code === 'missing_credentials';
    if (isAnonymous && requirement.access === 'optional') return accepted(undefined);
    // The strategy records every other rejection, but it does not know whether the route accepts anonymous callers.
    if (isAnonymous && host.getType() === 'http')
      instance.instrumentation.record({ type: 'refused', code: thrown.code });
    throw thrown;
  });
};

/** Passes an authenticated caller to the context, and checks the scopes. */
const accept: CallerStep = (caller, host, context, requirement, instance) => {
  context.accept?.(host, caller, instance.options.verification.stripCredentials);
  return authorizeCaller(caller, host, context, requirement, instance);
};

/** Checks the scopes of the caller that was authenticated before for this operation. */
const authorize: Step = (host, context, requirement, instance) =>
  authorizeCaller(decided(context.operationOf(host), instance.options.name), host, context, requirement, instance);

/** Accepts only a caller of this instance whose scopes meet the requirement. */
const authorizeCaller: CallerStep = (caller, host, context, requirement, { issuer, auditing }) => {
  // `@OptionalAuth()` accepts anonymous callers and names no scope.
  if (requirement.access === 'optional') return true;
  if (!Principal.isIssuedBy(issuer, caller)) {
    throw new XPayAuthError('missing_credentials', 'No XPayAuthGuard of this instance authenticated a caller');
  }
  if (meets(caller.scopes, requirement)) return true;
  const requiredScopes = [...requirement.all, ...requirement.any];
  const { address } = addressOf(context.requestOf(host));
  auditing.record({ type: 'denied', username: caller.username, address, requiredScopes });
  throw new XPayAuthError('insufficient_scope', `The caller lacks ${requiredScopes.join(' ')}`, { requiredScopes });
};

/**
 * Emits an audit event if a handler itself throws `insufficient_scope` or `invalid_request` for an authenticated caller.
 * Errors with other codes come from a check of the library that has already emitted an event.
 */
function auditRejection(failure: XPayAuthError, host: ArgumentsHost, instances: readonly XPayInstance[]): void {
  const { code, requiredScopes = [], message: reason, reference } = failure;
  if (code !== 'insufficient_scope' && code !== 'invalid_request') return;
  const context = contextOf(host);
  const operation = context.operationOf(host);
  for (const { options, auditing } of instances) {
    const username = decided(operation, options.name)?.username;
    if (username === undefined) continue;
    const request = context.requestOf(host);
    const { address } = addressOf(request);
    if (code === 'insufficient_scope') auditing.record({ type: 'denied', username, address, requiredScopes });
    else auditing.record({ type: 'refused', scheme: schemeOf(request), username, address, reason, reference });
    return;
  }
}

/** A handler of a class, its requirement, and the instance that decides. */
interface Route {
  readonly controller: object;
  readonly requirement: Requirement;
  readonly instance: XPayInstance | undefined;
}

/** Decides whether a caller may run an operation, the same way in every context. Guards, filter and handshake use it. */
@Injectable()
export class AccessControl implements OnModuleInit {
  readonly #logger = new Logger('XPayAuth');
  /**
   * For each handler, the route that was last used. The route also names the controller, because subclasses share the handlers that
   * they inherit.
   */
  readonly #routes = new WeakMap<object, Route>();

  constructor(
    @Inject(XPayInstances) private readonly instances: XPayInstances,
    @Inject(HttpAdapterHost) private readonly adapterHost: HttpAdapterHost,
  ) {}

  onModuleInit(): void {
    // A microservice has no HTTP adapter.
    const { httpAdapter } = this.adapterHost as Partial<HttpAdapterHost>;
    const platformApp: unknown = httpAdapter?.getInstance();
    registerApp(platformApp, this.instances);
    this.instances.onEach(({ strategy }) => strategy.serve(platformApp));
  }

  /** Called by the exception filter. Answers the caller with a failure that a handler threw. */
  answer(failure: XPayAuthError, host: ArgumentsHost): unknown {
    const isLogged = failure.trouble === 'caller' || failure.code === 'configuration';
    if (!isLogged) this.#logger.warn(describe(failure));
    // If the operation of this context cannot be read, the caller is answered without an audit event.
    swallowErrors(() => auditRejection(failure, host, this.instances.all()));
    return contextOf(host).answer(this.#denialOf(failure, host, this.instances.answering()));
  }

  /** Converts a thrown value to an `XPayAuthError`. Logs `configuration`, because its reason is not sent to the caller. */
  failureOf(thrown: unknown): XPayAuthError {
    const failure = asXPayAuthError(thrown, 'configuration', 'The check of the caller failed in an unexpected way');
    if (failure.code === 'configuration') this.#logger.error(describe(failure));
    return failure;
  }

  /**
   * Runs one step of the access decision about this operation: `authenticate` or `authorize`. Returns no promise if the step
   * returns no promise. Throws Nest's exception for the context, with the `XPayAuthError` as its cause.
   */
  decide(host: ExecutionContext, step: Step): true | Promise<true> {
    let instance: XPayInstance | undefined;
    try {
      const route = this.#routeOf(host.getClass(), host.getHandler());
      ({ instance } = route);
      if (instance === undefined) return true;
      const outcome = step(host, contextOf(host), route.requirement, instance);
      if (outcome === true) return true;
      return outcome.catch((thrown: unknown) => this.#throw(thrown, host, instance));
    } catch (thrown) {
      return this.#throw(thrown, host, instance);
    }
  }

  /**
   * Returns the route of a handler. A public route has no instance. For any other route, throws `configuration` if the instance
   * that the route names does not exist.
   */
  #routeOf(controller: object, handler: object): Route {
    const last = this.#routes.get(handler);
    if (last?.controller === controller) return last;
    const requirement = requirementOf(controller, handler);
    const instance = requirement.access === 'public' ? undefined : this.instances.get(requirement.instance);
    const route = { controller, requirement, instance };
    this.#routes.set(handler, route);
    return route;
  }

  #throw(thrown: unknown, host: ArgumentsHost, instance: XPayInstance | undefined): Promise<never> {
    const exception = contextOf(host).exceptionOf(this.#denialOf(thrown, host, instance));
    if (exception instanceof Error) throw exception;
    return exception.then((loaded) => Promise.reject(loaded));
  }

  #denialOf(thrown: unknown, host: ArgumentsHost, instance: XPayInstance | undefined): Denial {
    const failure = this.failureOf(thrown);
    return { failure, host, challenge: challengeOf(host, instance), adapter: this.adapterHost.httpAdapter };
  }
}

/** Returns the data of the challenge, or `undefined` if the request cannot be read. */
function challengeOf(host: ArgumentsHost, instance: XPayInstance | undefined): Denial['challenge'] {
  return swallowErrors(() => instance?.strategy.challengeContext(contextOf(host).requestOf(host)));
}

/** Formats a failure as one line for the log. */
function describe(failure: XPayAuthError): string {
  const references = Object.entries(failure.reference ?? {}).map(([name, value]) => ` ${name}=${String(value)}`);
  return `${failure.code}: ${failure.message}${references.join('')}`;
}

/**
 * Authenticates the caller, and checks the scopes that the decorators of the route require. Checks the scopes for every
 * operation, even if the caller is cached. `@CurrentUser()` returns the `Principal`. On HTTP the `Principal` is also in
 * `request.user`.
 */
@Injectable()
export class XPayAuthGuard implements CanActivate {
  /** @hidden */
  constructor(@Inject(AccessControl) private readonly access: AccessControl) {}

  /** Called by Nest. Throws Nest's own exception for the context, with an `XPayAuthError` as its `cause`. */
  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    return this.access.decide(context, authenticate);
  }
}

/**
 * Checks only the scopes. Use it on routes where Passport's `AuthGuard('xpay')` authenticates the caller. Accepts only a caller
 * that the instance of the route has authenticated for this operation.
 */
@Injectable()
export class ScopesGuard implements CanActivate {
  /** @hidden */
  constructor(@Inject(AccessControl) private readonly access: AccessControl) {}

  /** Called by Nest. Throws Nest's own exception for the context, with an `XPayAuthError` as its `cause`. */
  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    return this.access.decide(context, authorize);
  }
}
