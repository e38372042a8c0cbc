import {
  type ArgumentsHost,
  type ExecutionContext,
  Inject,
  Injectable,
  Logger,
  type OnModuleInit,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { XPayAuthError, asXPayAuthError } from '../../core/errors.js';
import type { XPayInstance } from '../instance/instance.js';
import { XPayInstances } from '../instance/xpay-instances.js';
import { requirementOf } from '../requirement/requirement.js';
import { type Step, auditRejection, contextOf } from './operations.js';
import { registerApp } from './failure-headers.js';
import type { Denial } from './request-context.js';

/** Decides whether a caller may run an operation, the same way in every context. The guards, the filter and the handshake call it. */
@Injectable()
export class AccessControl implements OnModuleInit {
  readonly #logger = new Logger('XPayAuth');

  constructor(
    @Inject(XPayInstances) private readonly instances: XPayInstances,
    @Inject(HttpAdapterHost) private readonly adapterHost: HttpAdapterHost,
  ) {}

  onModuleInit(): void {
    // A microservice has no adapter.
    const { httpAdapter } = this.adapterHost as Partial<HttpAdapterHost>;
    registerApp(httpAdapter?.getInstance(), this.instances);
  }

  /** For the filter: what Nest is to do with a failure that left a handler. */
  answer(failure: XPayAuthError, host: ArgumentsHost): unknown {
    const isLogged = failure.trouble === 'caller' || failure.code === 'configuration';
    if (!isLogged) this.#logger.warn(describe(failure));
    try {
      auditRejection(failure, host, this.instances.all());
    } catch {
      // A context whose operation cannot be read is answered nevertheless.
    }
    return contextOf(host).answer(this.#denialOf(failure, host, this.instances.answering()));
  }

  /** Returns whatever was thrown as a failure. Logs `configuration`: its reason is not sent to the caller. */
  failureOf(thrown: unknown): XPayAuthError {
    const failure = asXPayAuthError(thrown, 'configuration', 'The check of the caller failed in an unexpected way');
    if (failure.code === 'configuration') this.#logger.error(describe(failure));
    return failure;
  }

  /**
   * Runs a step of the decision about this operation: `authenticate` or `authorize`. Answers without a promise where the step
   * does. Fails with the context's own exception, which has the `XPayAuthError` as its cause.
   */
  decide(host: ExecutionContext, step: Step): true | Promise<true> {
    const requirement = requirementOf(host.getClass(), host.getHandler());
    if (requirement.access === 'public') return true;
    let instance: XPayInstance | undefined;
    try {
      const decider = (instance = this.instances.get(requirement.instance));
      const outcome = step(host, contextOf(host), requirement, decider);
      if (outcome === true) return true;
      return outcome.catch((thrown: unknown) => this.#throw(thrown, host, decider));
    } catch (thrown) {
      return this.#throw(thrown, host, instance);
    }
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

/** Where the request cannot be read there is no challenge either. */
function challengeOf(host: ArgumentsHost, instance: XPayInstance | undefined): Denial['challenge'] {
  try {
    return instance?.strategy.challengeContext(contextOf(host).requestOf(host));
  } catch {
    return undefined;
  }
}

/** A failure as one line of the log. */
function describe(failure: XPayAuthError): string {
  const references = Object.entries(failure.reference ?? {}).map(([name, value]) => ` ${name}=${String(value)}`);
  return `${failure.code}: ${failure.message}${references.join('')}`;
}
