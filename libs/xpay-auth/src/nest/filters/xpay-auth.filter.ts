import { type ArgumentsHost, Catch, type ExceptionFilter, Inject } from '@nestjs/common';
import { XPayAuthError } from '../../core/errors.js';
import { AccessControl } from '../contexts/access-control.js';
import { isGraphQLRefusal } from '../contexts/graphql.context.js';

/** Matches what this library threw because it rejected a field. */
class RejectedField {
  static [Symbol.hasInstance](thrown: unknown): boolean {
    return isGraphQLRefusal(thrown);
  }
}

/**
 * Answers for an `XPayAuthError` that leaves a controller, by the same table as the guards; beside HTTP with the
 * context's own error. Nest asks no global filter about gateways: put it on them, `@UseFilters(XPayAuthFilter)`.
 */
@Catch(XPayAuthError, RejectedField)
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
