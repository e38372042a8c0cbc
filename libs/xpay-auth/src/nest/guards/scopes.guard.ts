import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { XPayAuthError } from '../../core/errors.js';
import { Principal } from '../../core/principal.js';
import { meets } from '../../core/scopes.js';
import { ContextGate } from '../contexts/context-gate.js';
import { insufficientScope } from '../contexts/denial.js';
import { requestOf } from '../request/incoming-request.js';
import type { XPayInstance } from '../instance/instance.js';
import { requirementOf } from '../requirement/requirement.js';
import { ExceptionFactory } from '../contexts/exception-factory.js';
import { XPayInstances } from '../instance/xpay-instances.js';

/**
 * Authorisation: may they. Judges the scopes on every request, whatever was remembered of the caller, and accepts only a
 * `Principal` that the right instance of this library made.
 */
@Injectable()
export class ScopesGuard implements CanActivate {
  /** @hidden */
  constructor(
    @Inject(XPayInstances) private readonly instances: XPayInstances,
    @Inject(ExceptionFactory) private readonly refusal: ExceptionFactory,
    @Inject(ContextGate) private readonly gate: ContextGate,
  ) {}

  /** Nest calls it. Throws Nest's own exception for the context, with an `XPayAuthError` as its `cause`. */
  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    const requirement = requirementOf(context.getClass(), context.getHandler());
    // Nobody is good enough there, and a mark that says so names no scope.
    if (requirement.access !== 'authenticated') return true;
    if (context.getType() !== 'http') return this.gate.authorize(context, requirement);
    let instance: XPayInstance | undefined;
    try {
      instance = this.instances.get(requirement.instance);
      const request = requestOf(context);
      const { user } = request;
      if (!Principal.isIssuedBy(instance.issuer, user)) {
        throw new XPayAuthError('missing_credentials', 'No XPayAuthGuard of this instance has let a caller in');
      }
      if (meets(user.scopes, requirement)) return true;
      throw insufficientScope(user, requirement, instance, request);
    } catch (thrown) {
      throw this.refusal.toException(thrown, context, instance);
    }
  }
}
