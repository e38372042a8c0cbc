/** The names of the statuses that a failure can have (RFC 9110 §15, RFC 6585 §4). */
const STATUS_NAMES = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
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
  /** The failure code, one of a closed set. Clients can switch on this field. */
  readonly errorCode: string;
}

/** The party at fault. A failure of the upstream is never the caller's fault. */
export type Trouble = 'caller' | 'upstream' | 'ours';

interface FailureKind {
  readonly status: FailureStatus;
  readonly trouble: Trouble;
  /** A text for the caller. It does not mention accounts, upstreams or reasons. */
  readonly message: string;
}

/**
 * Every failure code and its HTTP status. The set is closed: a code exists when it has a row here.
 * Statuses after RFC 9110 §15.5 and §15.6, RFC 6750 §3.1 and RFC 6585 §4.
 */
export const FAILURES = {
  /** The request has no credentials. */
  missing_credentials: { status: 401, trouble: 'caller', message: 'Authentication is required' },
  /** The upstream rejected the username and key, or the instance does not accept this scheme. */
  invalid_credentials: { status: 401, trouble: 'caller', message: 'Invalid credentials' },
  /** The bearer token is unknown, expired or revoked. */
  invalid_token: { status: 401, trouble: 'caller', message: 'Invalid or expired token' },
  /** The credentials are malformed, or the request has more than one kind of credentials. */
  invalid_request: { status: 400, trouble: 'caller', message: 'The request is malformed or ambiguous' },
  /** The caller is authenticated but lacks a scope of the route. */
  insufficient_scope: { status: 403, trouble: 'caller', message: 'Insufficient scope' },
  /** The option `accounts.credentials` has no account for the id that was passed to `forAccount`. */
  unknown_account: { status: 404, trouble: 'caller', message: 'Not found' },
  /** A limit of the option `attempts` is reached. */
  too_many_attempts: { status: 429, trouble: 'caller', message: 'Too many attempts' },
  /** The upstream is unreachable or returned 5xx. */
  upstream_unavailable: { status: 503, trouble: 'upstream', message: 'The authentication service is unavailable' },
  /** The upstream returned 429. */
  upstream_rate_limited: { status: 503, trouble: 'upstream', message: 'The authentication service is busy' },
  /** The queue of checks is full, a check waited too long, or too many checks from one address were not decided. */
  overloaded: { status: 503, trouble: 'ours', message: 'Too many concurrent checks' },
  /** The shared store is unavailable, and the library cannot accept or reject the request without it. */
  store_unavailable: { status: 503, trouble: 'ours', message: 'The session store is unavailable' },
  /** The application is shutting down. */
  shutting_down: { status: 503, trouble: 'ours', message: 'The service is shutting down' },
  /** The upstream did not respond in time. */
  upstream_timeout: { status: 504, trouble: 'upstream', message: 'The authentication service did not answer in time' },
  /** The response of the upstream cannot be read. */
  upstream_malformed: {
    status: 502,
    trouble: 'upstream',
    message: 'The authentication service gave an unusable answer',
  },
  /** The upstream returned a business error that is not a rejection of credentials. */
  upstream_business_error: { status: 502, trouble: 'upstream', message: 'The upstream service reported an error' },
  /** The upstream rejected the app account or an account of `forAccount`, or a token that it has just issued to the account. */
  credentials_rejected: { status: 502, trouble: 'ours', message: 'The upstream service refused this application' },
  /** The configuration of the app is wrong; only the log contains the details. */
  configuration: { status: 500, trouble: 'ours', message: 'Internal server error' },
} as const satisfies Record<string, FailureKind>;

/**
 * The closed set of failure codes. `XPayAuthError.getStatus()` returns the HTTP status of each.
 * @useDeclaredType
 */
export type XPayAuthErrorCode = keyof typeof FAILURES;

/** Returns the response body of every failure with this code. */
export function failureBody(errorCode: XPayAuthErrorCode): FailureBody {
  const { status, message } = FAILURES[errorCode];
  return { statusCode: status, error: STATUS_NAMES[status], message, errorCode };
}
