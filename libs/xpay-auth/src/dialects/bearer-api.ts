import type { AccessToken } from '../core/credentials.js';
import { configurationError } from '../core/errors.js';
import type { ApiCall, UpstreamAnswer, UpstreamRequest } from '../core/ports.js';

/** The option of every dialect for an upstream that rejects a token with an answer other than 401. */
export interface TokenRejectionOptions {
  /**
   * Returns whether the answer of an API call rejects the token. Called with every answer, including a 200. After `true`, the
   * token is renewed. After a 401, the call is repeated. After any other answer, the call is repeated only if it reads data.
   *
   * A 403 usually means a missing permission, which a new token would not have either. Return `true` only for a 403 whose body
   * names the token.
   * @default the status is 401 (RFC 6750 §3.1)
   * @example ({ status, text }) => status === 401 || (status === 403 && text.includes('"token_revoked"'))
   */
  isTokenRejected?: (answer: UpstreamAnswer) => boolean;
}

/** The default of {@link TokenRejectionOptions.isTokenRejected}. */
export function isUnauthorized({ status }: UpstreamAnswer): boolean {
  return status === 401;
}

/** Returns the request of an API call. The headers of the dialect and the bearer token replace equal headers of the caller. */
export function bearerRequest(
  { method, path, headers, body, encodedBody }: ApiCall,
  token: AccessToken,
  dialectHeaders: Readonly<Record<string, string>>,
  encode: (body: unknown) => string,
): UpstreamRequest {
  return {
    method,
    path,
    headers: { ...headers, ...dialectHeaders, authorization: `Bearer ${token.value}` },
    ...(body !== undefined && { body: encodedBody ?? encode(body) }),
  };
}

/** Throws `configuration` for a GET with a body, in a dialect that cannot send one. */
export function refuseBodyOfGet(dialect: string, { method, body }: ApiCall): void {
  if (method !== 'GET' || body === undefined) return;
  throw configurationError(`${dialect}: a GET has no body. Pass the parameters in the path`);
}
