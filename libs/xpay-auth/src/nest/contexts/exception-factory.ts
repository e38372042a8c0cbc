import { type ArgumentsHost, type HttpException, Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { XPayAuthError, asXPayAuthError } from '../../core/errors.js';
import { XPayInstances } from '../instance/xpay-instances.js';
import { keepHeaders, registerApp } from './failure-headers.js';
import { headersOf, toHttpException } from '../exceptions/http-exception.js';
import type { IncomingRequest } from '../request/incoming-request.js';
import type { XPayInstance } from '../instance/instance.js';

/** Turns a failure into what the context of Nest throws, at the one place where this library meets it. */
@Injectable()
export class ExceptionFactory implements OnModuleInit {
  readonly #logger = new Logger('XPayAuth');

  constructor(
    @Inject(HttpAdapterHost) private readonly adapterHost: HttpAdapterHost,
    @Inject(XPayInstances) private readonly instances: XPayInstances,
  ) {}

  onModuleInit(): void {
    // A microservice has no adapter.
    const { httpAdapter } = this.adapterHost as Partial<HttpAdapterHost>;
    registerApp(httpAdapter?.getInstance(), this.instances);
  }

  /**
   * The exception to throw. Headers are set before, so that an app's own catch-all filter sends them too.
   * Without an instance there is no challenge to make.
   */
  toException(thrown: unknown, host: ArgumentsHost, instance: XPayInstance | undefined): HttpException {
    const failure = this.failureOf(thrown);
    const exception = toHttpException(failure);
    if (host.getType() !== 'http') return exception;
    const http = host.switchToHttp();
    const response: unknown = http.getResponse();
    const { httpAdapter } = this.adapterHost;
    const headers = headersOf(failure, instance?.strategy.challengeContext(http.getRequest<IncomingRequest>()));
    keepHeaders(exception, headers);
    // A controller may have begun to answer before it failed.
    if (httpAdapter.isHeadersSent(response)) return exception;
    for (const [name, value] of Object.entries(headers)) httpAdapter.setHeader(response, name, value);
    return exception;
  }

  /** Whatever was thrown, as a failure. */
  failureOf(thrown: unknown): XPayAuthError {
    const failure = asXPayAuthError(thrown, 'configuration', 'The check of the caller failed in an unexpected way');
    // The caller is told nothing of it, so the operator is.
    if (failure.code === 'configuration') this.#logger.error(describe(failure));
    return failure;
  }
}

/** A failure as one line of the log. */
export function describe(failure: XPayAuthError): string {
  const references = Object.entries(failure.reference ?? {}).map(([name, value]) => ` ${name}=${String(value)}`);
  return `${failure.code}: ${failure.message}${references.join('')}`;
}
