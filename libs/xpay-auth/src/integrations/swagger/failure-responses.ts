import type { OpenAPIObject, ResponseObject, SchemaObject } from '@nestjs/swagger';
import { isDeepStrictEqual } from 'node:util';
import type { ChallengeContext } from '../../core/challenge.js';
import { FAILURES, XPayAuthError, type XPayAuthErrorCode } from '../../core/errors.js';
import type { FailureBody, FailureStatus } from '../../core/failures.js';
import { headersOf } from '../../nest/exceptions/http-exception.js';

/** The parts of a route's failure responses that do not follow from the codes. */
export interface FailureFacts {
  /** The challenge of a 401; `undefined` if the instance that authenticates the callers is not known. */
  readonly challenge: ChallengeContext | undefined;
  readonly requiredScopes: readonly string[];
  /** `Retry-After` of a caller with too many failed attempts, in ms. */
  readonly lockoutMs: number | undefined;
}

/** `components.responses` of a document. */
export type SharedResponses = NonNullable<NonNullable<OpenAPIObject['components']>['responses']>;

/** The key of the body's schema in `components.schemas`. */
export const FAILURE_SCHEMA = 'XPayAuthFailure';

const CODES = Object.keys(FAILURES) as readonly XPayAuthErrorCode[];

const ABOUT: Readonly<Record<FailureStatus, readonly [name: string, description: string]>> = {
  400: ['XPayInvalidRequest', 'The credentials are malformed, or the request has two kinds of them.'],
  401: ['XPayUnauthorized', 'The credentials are missing or not valid.'],
  403: ['XPayForbidden', 'The caller lacks a scope.'],
  404: ['XPayNotFound', 'There is no such account.'],
  429: ['XPayTooManyAttempts', 'Too many failed attempts.'],
  500: ['XPayInternalError', 'A bug or a wrong setting.'],
  502: ['XPayBadGateway', 'The response of the upstream is not usable.'],
  503: ['XPayUnavailable', 'The credentials cannot be verified at the moment. They may be valid.'],
  504: ['XPayGatewayTimeout', 'The upstream did not respond in time.'],
};

const HEADERS = {
  'cache-control': { name: 'Cache-Control', type: 'string', description: 'Forbids caches to store the response.' },
  'retry-after': { name: 'Retry-After', type: 'integer', description: 'Seconds after which to try again.' },
  'www-authenticate': {
    name: 'WWW-Authenticate',
    type: 'string',
    description: 'The accepted schemes. A script in a browser is not offered Basic.',
  },
} as const;

/** The schema of the body of every failure, in a document whose routes can return these codes. */
export function failureSchema(codes: ReadonlySet<XPayAuthErrorCode>): SchemaObject {
  const properties: Record<keyof FailureBody, SchemaObject> = {
    statusCode: { type: 'integer' },
    error: { type: 'string', description: 'The name of the status.' },
    message: { type: 'string', description: 'A message for people.' },
    errorCode: {
      type: 'string',
      description: 'A stable code for programs.',
      enum: CODES.filter((code) => codes.has(code)),
    },
  };
  return { type: 'object', description: 'The reason of a failure.', required: Object.keys(properties), properties };
}

/** The responses for these codes by status, each with the name under which operations share it. */
export function failureResponses(
  codes: readonly XPayAuthErrorCode[],
  facts: FailureFacts,
): [status: FailureStatus, name: string, response: ResponseObject][] {
  const { challenge, requiredScopes, lockoutMs } = facts;
  const byStatus = new Map<FailureStatus, XPayAuthError[]>();
  // In the order of the table of failures, not in that of `codes`.
  for (const code of CODES.filter((known) => codes.includes(known))) {
    const { status, message } = FAILURES[code];
    const retryAfterMs = code === 'too_many_attempts' ? lockoutMs : undefined;
    const failure = new XPayAuthError(code, message, { requiredScopes, retryAfterMs });
    byStatus.set(status, [...(byStatus.get(status) ?? []), failure]);
  }
  return [...byStatus].map(([status, alike]) => {
    const [name, description] = ABOUT[status];
    const bodies = alike.map((failure): [string, object] => [failure.code, { value: failure.getResponse() }]);
    const content = {
      schema: { $ref: `#/components/schemas/${FAILURE_SCHEMA}` },
      examples: Object.fromEntries(bodies),
    };
    const headers = documentedHeaders(status, alike, challenge);
    // The name of a component has letters, digits, `.`, `-` and `_` (OpenAPI 3.1 §4.8.7.1).
    const ownName = [name, ...(status === 403 ? requiredScopes : [])].join('_').replace(/[^\w.-]/g, '_');
    return [status, ownName, { description, headers, content: { 'application/json': content } }];
  });
}

/** The headers of these failures, with one example, and with one for each code if the values differ. */
function documentedHeaders(
  status: FailureStatus,
  failures: readonly XPayAuthError[],
  challenge: ChallengeContext | undefined,
): NonNullable<ResponseObject['headers']> {
  const documented: NonNullable<ResponseObject['headers']> = {};
  for (const [key, { name, type, description }] of Object.entries(HEADERS)) {
    const values = failures.flatMap((failure) => {
      const value = headersOf(failure, challenge)[key];
      return value === undefined ? [] : [[failure.code, type === 'integer' ? Number(value) : value] as const];
    });
    const [example, ...others] = new Set(values.map(([, value]) => value));
    if (example === undefined) continue;
    const isForbidden = status === 403 && key === 'www-authenticate';
    documented[name] = {
      description: isForbidden ? 'The required scopes.' : description,
      // Swagger UI shows only the example of the schema.
      schema: { type, example },
      ...(others.length > 0 && { examples: Object.fromEntries(values.map(([code, value]) => [code, { value }])) }),
    };
  }
  return documented;
}

/**
 * Adds a response that operations share to `components.responses`, once. Returns a reference to it: by this name, or with a
 * number if another response has the name.
 */
export function shareResponse(shared: SharedResponses, name: string, response: ResponseObject): { $ref: string } {
  for (let number = 1; ; number++) {
    const numbered = number === 1 ? name : `${name}${number}`;
    shared[numbered] ??= response;
    if (isDeepStrictEqual(shared[numbered], response)) return { $ref: `#/components/responses/${numbered}` };
  }
}
