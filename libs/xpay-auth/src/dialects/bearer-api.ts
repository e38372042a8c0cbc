import type { AccessToken } from '../core/credentials.js';
import { configurationError } from '../core/errors.js';
import type { ApiCall, UpstreamAnswer, UpstreamRequest } from '../core/ports.js';

/** The option of every dialect for upstreams that reject a token with another answer than 401. */
export interface TokenRejectionOptions {
  /**
   * Whether the answer of an API call rejects the token, and for no other reason. Called with every answer, also with a 200.
   * If it returns `true`, the token is renewed. After a 401 the call is repeated. After any other answer only a call that
   * reads is repeated.
   *
   * A 403 mostly means a missing permission, which a new token does not have either. Return `true` only for a 403 whose body
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

/** Returns the request of an API call: the headers of the caller, then those of the dialect and the token as a bearer. */
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
  throw configurationError(`${dialect}: a GET has no body; write what it asks for into its path`);
}
