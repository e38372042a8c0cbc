import { Catch, type ExceptionFilter } from '@nestjs/common';
import { isGraphQLRefusal } from '../contexts/graphql.context.js';

/** A `GraphQLError` with which a guard of this library refused a field. */
class RefusedField {
  static [Symbol.hasInstance](thrown: unknown): boolean {
    return isGraphQLRefusal(thrown);
  }
}

/**
 * Passes refusals of GraphQL fields on as they are. Without it Nest would log each with its stack as an error of the app,
 * because it knows its own exceptions alone: a stranger could fill the log.
 */
@Catch(RefusedField)
export class FieldFilter implements ExceptionFilter<Error> {
  catch(refusal: Error): never {
    throw refusal;
  }
}
