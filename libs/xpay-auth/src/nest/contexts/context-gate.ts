import { type ArgumentsHost, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import type { ChallengeContext } from '../../core/challenge.js';
import { XPayAuthError } from '../../core/errors.js';
import { Principal } from '../../core/principal.js';
import { meets } from '../../core/scopes.js';
import { insufficientScope } from './denial.js';
import type { XPayInstance } from '../instance/instance.js';
import type { Requirement } from '../requirement/requirement.js';
import { ExceptionFactory } from './exception-factory.js';
import { XPayInstances } from '../instance/xpay-instances.js';
import type { RequestContext } from './request-context.js';
import { contextOf, isKnown } from './contexts.js';
import { decideOnce, decided } from './decisions.js';

/** What the guards and the filter do in every context that is not HTTP. */
@Injectable()
export class ContextGate {
  constructor(
    @Inject(XPayInstances) private readonly instances: XPayInstances,
    @Inject(ExceptionFactory) private readonly refusal: ExceptionFactory,
  ) {}

  /** For `XPayAuthGuard`: lets the caller in, or rejects with the context's own exception; throws where it has none. */
  authenticate(host: ExecutionContext, requirement: Requirement): boolean | Promise<boolean> {
    const context = this.#contextOf(host);
    let instance: XPayInstance | undefined;
    try {
      const decider = (instance = this.instances.get(requirement.instance));
      const { name, verification } = decider.options;
      const decision = decideOnce(context.operationOf(host), name, () =>
        decider.strategy.validate(context.requestOf(host)),
      );
      const admit = (principal: Principal): true => {
        context.accept(host, principal, verification.stripCredentials);
        return true;
      };
      if (!(decision instanceof Promise)) return admit(decision);
      return decision.then(admit, (thrown: unknown) => this.#refuse(thrown, host, requirement, decider));
    } catch (thrown) {
      return this.#refuse(thrown, host, requirement, instance);
    }
  }

  /** For `ScopesGuard`: whether whom `XPayAuthGuard` let in may. */
  authorize(host: ExecutionContext, requirement: Requirement): boolean | Promise<boolean> {
    const context = this.#contextOf(host);
    let instance: XPayInstance | undefined;
    try {
      instance = this.instances.get(requirement.instance);
      const caller = decided(context.operationOf(host), instance.options.name);
      if (!Principal.isIssuedBy(instance.issuer, caller)) {
        throw new XPayAuthError('missing_credentials', 'No XPayAuthGuard of this instance has let a caller in');
      }
      if (meets(caller.scopes, requirement)) return true;
      throw insufficientScope(caller, requirement, instance, context.requestOf(host));
    } catch (thrown) {
      return this.#throw(thrown, host, instance);
    }
  }

  /** For the filter: what Nest is to do with a failure that left a handler. */
  answer(failure: XPayAuthError, host: ArgumentsHost, instance: XPayInstance | undefined): unknown {
    if (!isKnown(host)) throw this.refusal.toException(failure, host, instance);
    return contextOf(host).answer(this.#exceptionOf(failure, host, instance), host);
  }

  /** Nobody is good enough where authentication is optional; everything else is thrown. */
  async #refuse(
    thrown: unknown,
    host: ExecutionContext,
    requirement: Requirement,
    instance: XPayInstance | undefined,
  ): Promise<true> {
    const nobody = thrown instanceof XPayAuthError && thrown.code === 'missing_credentials';
    return nobody && requirement.access === 'optional' ? true : this.#throw(thrown, host, instance);
  }

  async #throw(thrown: unknown, host: ArgumentsHost, instance: XPayInstance | undefined): Promise<never> {
    throw await this.#exceptionOf(thrown, host, instance);
  }

  async #exceptionOf(thrown: unknown, host: ArgumentsHost, instance: XPayInstance | undefined): Promise<Error> {
    const failure = this.refusal.failureOf(thrown);
    return contextOf(host).exceptionOf(failure, challengeOf(host, instance));
  }

  /** An unknown context has no exception of its own, so nothing is waited for. */
  #contextOf(host: ArgumentsHost): RequestContext {
    try {
      return contextOf(host);
    } catch (thrown) {
      throw this.refusal.toException(thrown, host, undefined);
    }
  }
}

/** Where nobody can tell what was presented, there is no challenge to make either. */
function challengeOf(host: ArgumentsHost, instance: XPayInstance | undefined): ChallengeContext | undefined {
  try {
    return instance?.strategy.challengeContext(contextOf(host).requestOf(host));
  } catch {
    return undefined;
  }
}
