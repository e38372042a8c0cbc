import { type ArgumentsHost, Catch, type ExceptionFilter, Inject, Logger } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { XPayAuthError } from '../core/errors.js';
import { ContextGate } from './contexts/context-gate.js';
import type { XPayInstance } from './instance.js';
import { Refusal, describe } from './refusal.js';
import { DEFAULT_INSTANCE } from './options/resolve-options.js';
import { XPayInstances } from './xpay-instances.js';

/**
 * Answers for an `XPayAuthError` that leaves a controller, by the same table as the guards; beside HTTP with the context's own
 * error. Nest asks no global filter about gateways: put it on them, `@UseFilters(XPayAuthFilter)`.
 */
@Catch(XPayAuthError)
export class XPayAuthFilter implements ExceptionFilter<XPayAuthError> {
  readonly #logger = new Logger('XPayAuth');

  /** @hidden */
  constructor(
    @Inject(HttpAdapterHost) private readonly adapterHost: HttpAdapterHost,
    @Inject(Refusal) private readonly refusal: Refusal,
    @Inject(XPayInstances) private readonly instances: XPayInstances,
    @Inject(ContextGate) private readonly gate: ContextGate,
  ) {}

  /** Nest calls it. */
  catch(failure: XPayAuthError, host: ArgumentsHost): unknown {
    const isLogged = failure.trouble === 'caller' || failure.code === 'configuration';
    if (!isLogged) this.#logger.warn(describe(failure));
    if (host.getType() !== 'http') return this.gate.answer(failure, host, this.#challenger());
    const exception = this.refusal.of(failure, host, this.#challenger());
    const { httpAdapter } = this.adapterHost;
    const response: unknown = host.switchToHttp().getResponse();
    if (httpAdapter.isHeadersSent(response)) httpAdapter.end(response);
    else httpAdapter.reply(response, exception.getResponse(), exception.getStatus());
    return undefined;
  }

  /** Whose challenge a 401 shows: an error does not say which instance it comes from. */
  #challenger(): XPayInstance | undefined {
    const all = this.instances.all();
    return all.length === 1 ? all[0] : all.find(({ options }) => options.name === DEFAULT_INSTANCE);
  }
}
