import { type ArgumentsHost, Catch, type ExceptionFilter, Inject, Logger } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { XPayAuthError } from '../../core/errors.js';
import { ContextGate } from '../contexts/context-gate.js';
import { ExceptionFactory, describe } from '../contexts/exception-factory.js';
import { XPayInstances } from '../instance/xpay-instances.js';

/**
 * Answers for an `XPayAuthError` that leaves a controller, by the same table as the guards; beside HTTP with the
 * context's own error. Nest asks no global filter about gateways: put it on them, `@UseFilters(XPayAuthFilter)`.
 */
@Catch(XPayAuthError)
export class XPayAuthFilter implements ExceptionFilter<XPayAuthError> {
  readonly #logger = new Logger('XPayAuth');

  /** @hidden */
  constructor(
    @Inject(HttpAdapterHost) private readonly adapterHost: HttpAdapterHost,
    @Inject(ExceptionFactory) private readonly refusal: ExceptionFactory,
    @Inject(XPayInstances) private readonly instances: XPayInstances,
    @Inject(ContextGate) private readonly gate: ContextGate,
  ) {}

  /** Nest calls it. */
  catch(failure: XPayAuthError, host: ArgumentsHost): unknown {
    const isLogged = failure.trouble === 'caller' || failure.code === 'configuration';
    if (!isLogged) this.#logger.warn(describe(failure));
    if (host.getType() !== 'http') return this.gate.answer(failure, host, this.instances.answering());
    const exception = this.refusal.toException(failure, host, this.instances.answering());
    const { httpAdapter } = this.adapterHost;
    const response: unknown = host.switchToHttp().getResponse();
    if (httpAdapter.isHeadersSent(response)) httpAdapter.end(response);
    else httpAdapter.reply(response, exception.getResponse(), exception.getStatus());
    return undefined;
  }
}
