import type { XPayAuthErrorCode } from './errors.js';

/** The names of the statuses that a failure can have (RFC 9110 §15, RFC 6585 §4). */
const STATUS_NAMES = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
} as const;

/** An HTTP status that a failure can have. */
export type FailureStatus = keyof typeof STATUS_NAMES;

/** The response body of a failure, in the shape of Nest's own errors. */
export interface FailureBody {
  /** The HTTP status. */
  readonly statusCode: number;
  /** The name of the status, such as `Unauthorized`. */
  readonly error: string;
  /** A text for the caller. It does not mention accounts, upstreams or reasons. */
  readonly message: string;
  /** One of the closed set of codes. Clients switch on it. */
  readonly errorCode: string;
}

/** Returns the only body that a failure with this code is answered with. */
export function failureBody(errorCode: XPayAuthErrorCode, statusCode: FailureStatus, message: string): FailureBody {
  return { statusCode, error: STATUS_NAMES[statusCode], message, errorCode };
}
