import { type ArgumentsHost, Catch, type ExceptionFilter, Inject } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { XPayAuthError } from '../core/errors.js';
import { Refusal } from './refusal.js';
import { DEFAULT_INSTANCE } from './options/resolve-options.js';
import { XPayInstances } from './xpay-instances.js';

/** Answers for an `XPayAuthError` that leaves a controller, by the same table as the guards. */
@Catch(XPayAuthError)
export class XPayAuthFilter implements ExceptionFilter<XPayAuthError> {
  constructor(
    @Inject(HttpAdapterHost) private readonly adapterHost: HttpAdapterHost,
    @Inject(Refusal) private readonly refusal: Refusal,
    @Inject(XPayInstances) private readonly instances: XPayInstances,
  ) {}

  catch(failure: XPayAuthError, host: ArgumentsHost): void {
    const instance = this.instances.all().find(({ options }) => options.name === DEFAULT_INSTANCE);
    const exception = this.refusal.of(failure, host, instance);
    if (host.getType() !== 'http') throw exception;
    this.adapterHost.httpAdapter.reply(
      host.switchToHttp().getResponse(),
      exception.getResponse(),
      exception.getStatus(),
    );
  }
}
