import { type ArgumentsHost, Catch, type ExceptionFilter, Inject } from '@nestjs/common';
import { XPayAuthError } from '../../core/errors.js';
import { AccessControl } from '../guards/xpay-auth.guard.js';
import { GraphQLRejection } from '../contexts/graphql.context.js';

/**
 * Answers a request whose controller throws an `XPayAuthError`, with the same status and body as the guards. In GraphQL,
 * WebSockets and microservices the answer is the error of that context. Nest does not apply global filters to gateways, so
 * decorate a gateway with `@UseFilters(XPayAuthFilter)`.
 */
@Catch(XPayAuthError, GraphQLRejection)
export class XPayAuthFilter implements ExceptionFilter<Error> {
  /** @hidden */
  constructor(@Inject(AccessControl) private readonly access: AccessControl) {}

  /** Called by Nest. */
  catch(thrown: Error, host: ArgumentsHost): unknown {
    if (thrown instanceof XPayAuthError) return this.access.answer(thrown, host);
    // A `GraphQLRejection` is thrown again unchanged. If no filter caught it, Nest would log it with its stack as an error of
    // the app.
    throw thrown;
  }
}
