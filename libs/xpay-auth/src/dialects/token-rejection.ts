import type { UpstreamAnswer } from '../core/ports.js';

/** The option of every dialect for upstreams that reject a token with another answer than 401. */
export interface TokenRejectionOptions {
  /**
   * Whether the answer of an API call rejects the token, and for no other reason. Called with each answer, whatever its status.
   * The token is then renewed. After a 401 the call is repeated; after any other answer only a call that reads is.
   *
   * A 403 mostly means a missing permission, which no other token has either: accept only one that names the token.
   * @default the status is 401 (RFC 6750 §3.1)
   * @example ({ status, text }) => status === 401 || (status === 403 && text.includes('"token_revoked"'))
   */
  isTokenRejected?: (answer: UpstreamAnswer) => boolean;
}

/** The default of {@link TokenRejectionOptions.isTokenRejected}. */
export function isUnauthorized({ status }: UpstreamAnswer): boolean {
  return status === 401;
}
