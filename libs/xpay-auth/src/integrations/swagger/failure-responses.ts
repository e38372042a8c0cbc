import type { ResponseObject } from '@nestjs/swagger';
import type { ChallengeContext } from '../../core/challenge.js';
import { FAILURES, XPayAuthError, type XPayAuthErrorCode } from '../../core/errors.js';
import type { FailureStatus } from '../../core/failures.js';
import { documentedHeaders } from './failure-headers.js';
import { FAILURE_CODES, FAILURE_SCHEMA } from './failure-schema.js';

/** What the answers of one route have in them beside their code. */
export interface FailureFacts {
  /** What a 401 offers; nothing where it is not known which instance decides. */
  readonly challenge: ChallengeContext | undefined;
  readonly requiredScopes: readonly string[];
  /** How long a caller with too many attempts is sent away. */
  readonly lockoutMs: number | undefined;
}

/** One response, with a name to share it by. */
export interface NamedResponse {
  readonly name: string;
  readonly response: ResponseObject;
}

const ABOUT: Readonly<Record<FailureStatus, { readonly name: string; readonly description: string }>> = {
  400: { name: 'XPayInvalidRequest', description: 'Malformed credentials, or two kinds of them.' },
  401: { name: 'XPayUnauthorized', description: 'No credentials, or none that are good.' },
  403: { name: 'XPayForbidden', description: 'The caller lacks a scope.' },
  429: { name: 'XPayTooManyAttempts', description: 'Too many failed attempts.' },
  500: { name: 'XPayInternalError', description: 'A bug or a wrong setting.' },
  502: { name: 'XPayBadGateway', description: 'The upstream gave no usable answer.' },
  503: { name: 'XPayUnavailable', description: 'It cannot be told at the moment. The credentials may be good.' },
  504: { name: 'XPayGatewayTimeout', description: 'The upstream did not answer in time.' },
};

/** What these failures are answered with, by status: the bodies and headers that really come. */
export function failureResponses(
  codes: readonly XPayAuthErrorCode[],
  facts: FailureFacts,
): ReadonlyMap<FailureStatus, NamedResponse> {
  const byStatus = new Map<FailureStatus, XPayAuthError[]>();
  // In the order of the table, whatever they come from.
  for (const code of FAILURE_CODES.filter((known) => codes.includes(known))) {
    const { status, message } = FAILURES[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), failureOf(code, message, facts)]);
  }
  return new Map([...byStatus].map(([status, failures]) => [status, namedResponse(status, failures, facts)]));
}

function failureOf(code: XPayAuthErrorCode, message: string, facts: FailureFacts): XPayAuthError {
  const { requiredScopes, lockoutMs } = facts;
  return new XPayAuthError(code, message, {
    requiredScopes,
    retryAfterMs: code === 'too_many_attempts' ? lockoutMs : undefined,
  });
}

function namedResponse(status: FailureStatus, failures: readonly XPayAuthError[], facts: FailureFacts): NamedResponse {
  const { name, description } = ABOUT[status];
  const { challenge, requiredScopes } = facts;
  const bodies = failures.map((failure): [string, object] => [failure.code, { value: failure.getResponse() }]);
  const content = { schema: { $ref: `#/components/schemas/${FAILURE_SCHEMA}` }, examples: Object.fromEntries(bodies) };
  const headers = documentedHeaders(status, failures, challenge);
  // A name of a component has letters, digits and these three (OpenAPI 3.1 §4.8.7.1).
  const ownName = [name, ...(status === 403 ? requiredScopes : [])].join('_').replace(/[^\w.-]/g, '_');
  return { name: ownName, response: { description, headers, content: { 'application/json': content } } };
}
