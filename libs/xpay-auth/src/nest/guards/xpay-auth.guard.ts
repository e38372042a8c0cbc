import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { XPayAuthError } from '../../core/errors.js';
import { Principal } from '../../core/principal.js';
import { ContextGate } from '../contexts/context-gate.js';
import { type IncomingRequest, requestOf, stripCredentials } from '../request/incoming-request.js';
import type { XPayInstance } from '../instance/instance.js';
import { type Access, requirementOf } from '../requirement/requirement.js';
import { ExceptionFactory } from '../contexts/exception-factory.js';
import { XPayInstances } from '../instance/xpay-instances.js';

/** Authentication: who is calling. Puts a `Principal` on `request.user`, or refuses. */
@Injectable()
export class XPayAuthGuard implements CanActivate {
  /** @hidden */
  constructor(
    @Inject(XPayInstances) private readonly instances: XPayInstances,
    @Inject(ExceptionFactory) private readonly refusal: ExceptionFactory,
    @Inject(ContextGate) private readonly gate: ContextGate,
  ) {}

  /** Nest calls it. Throws Nest's own exception for the context, with an `XPayAuthError` as its `cause`. */
  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    const requirement = requirementOf(context.getClass(), context.getHandler());
    const { access, instance: name } = requirement;
    if (access === 'public') return true;
    if (context.getType() !== 'http') return this.gate.authenticate(context, requirement);
    const request = requestOf(context);
    let instance: XPayInstance | undefined;
    try {
      const decider = (instance = this.instances.get(name));
      if (isDecided(request, decider)) return true;
      const caller = decider.strategy.validate(request);
      if (!(caller instanceof Promise)) return admit(request, caller, decider);
      return caller.then(
        (principal) => admit(request, principal, decider),
        (thrown: unknown) => this.#refuse(thrown, context, decider, access),
      );
    } catch (thrown) {
      return this.#refuse(thrown, context, instance, access);
    }
  }

  /** Nobody is good enough where authentication is optional; everything else is thrown. */
  #refuse(thrown: unknown, context: ExecutionContext, instance: XPayInstance | undefined, access: Access): true {
    const nobody = thrown instanceof XPayAuthError && thrown.code === 'missing_credentials';
    if (nobody && access === 'optional') {
      const request = requestOf(context);
      // Somebody to another instance is nobody to this one.
      if (Principal.isPrincipal(request.user)) request.user = undefined;
      return true;
    }
    if (nobody) instance?.instrumentation.record({ type: 'refused', code: thrown.code });
    throw this.refusal.toException(thrown, context, instance);
  }
}

/** A guard that is on globally, on the class and on the method decides once for each request. */
function isDecided(request: IncomingRequest, instance: XPayInstance): boolean {
  return Principal.isIssuedBy(instance.issuer, request.user);
}

function admit(request: IncomingRequest, principal: Principal, { options }: XPayInstance): true {
  request.user = principal;
  if (options.verification.stripCredentials) stripCredentials(request);
  return true;
}
