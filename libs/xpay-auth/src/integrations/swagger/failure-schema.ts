import type { ReferenceObject, SchemaObject } from '@nestjs/swagger';
import { FAILURES, type XPayAuthErrorCode } from '../../core/errors.js';
import type { FailureBody } from '../../core/failures.js';

/** Its key in `components.schemas`. */
export const FAILURE_SCHEMA = 'XPayAuthFailure';

/** Every code there is, in the order of the table. */
export const FAILURE_CODES = Object.keys(FAILURES) as readonly XPayAuthErrorCode[];

/** The body of every failure, in a document whose routes may answer these codes. */
export function failureSchema(codes: ReadonlySet<XPayAuthErrorCode>): SchemaObject {
  const properties = {
    statusCode: { type: 'integer' },
    error: { type: 'string', description: 'The name of the status.' },
    message: { type: 'string', description: 'For a person.' },
    errorCode: {
      type: 'string',
      description: 'For a program: what a client switches on.',
      enum: FAILURE_CODES.filter((code) => codes.has(code)),
    },
  } satisfies Record<keyof FailureBody, SchemaObject | ReferenceObject>;
  return { type: 'object', description: 'Why a caller was not served.', required: Object.keys(properties), properties };
}
