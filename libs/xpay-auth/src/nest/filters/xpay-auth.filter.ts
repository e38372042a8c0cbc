import { type ArgumentsHost, Catch, type ExceptionFilter, Inject } from '@nestjs/common';
import { XPayAuthError } from '../../core/errors.js';
import { AccessControl } from '../guards/xpay-auth.guard.js';
import { GraphQLRejection } from '../contexts/graphql.context.js';

/**
 * Answers for an `XPayAuthError` that leaves a controller, by the same table as the guards; beside HTTP with the
 * context's own error. Nest asks no global filter about gateways: put it on them, `@UseFilters(XPayAuthFilter)`.
 */
@Catch(XPayAuthError, GraphQLRejection)
export class XPayAuthFilter implements ExceptionFilter<Error> {
  /** @hidden */
  constructor(@Inject(AccessControl) private readonly access: AccessControl) {}

  /** Nest calls it. */
  catch(thrown: Error, host: ArgumentsHost): unknown {
    if (thrown instanceof XPayAuthError) return this.access.answer(thrown, host);
    // Passed on as it is. Without a filter Nest would log it with its stack as an error of the app.
    throw thrown;
  }
}
