import type { Credentials } from '../../core/credentials.js';
import type { ChallengeScheme } from '../../core/challenge.js';
import type { IncomingRequest } from './incoming-request.js';

/** What an extractor finds: credentials to check, or a bearer token of this app. */
export type ExtractedCredentials =
  | Credentials
  | {
      /** A bearer token of this app, as `XPaySessionService.login()` gave it. */
      readonly token: string;
    };

/**
 * Another place to present credentials: a header of your own, a cookie, the handshake of a socket (`request.handshake`), a
 * message (`request.rpc`). Extractors must not read the `Authorization` header, which is `'basic'`'s and `'bearer'`'s.
 */
export interface CredentialsExtractor extends ChallengeScheme {
  /** `undefined` when the request has nothing of this kind. Throw an `XPayAuthError`, `invalid_request`, for a malformed one. */
  extract(request: IncomingRequest): ExtractedCredentials | undefined;
}

/** How the two schemes of the `Authorization` header are offered in a challenge (RFC 7617 §2.1, RFC 6750 §3). */
export const HEADER_SCHEMES: Readonly<Record<'basic' | 'bearer', ChallengeScheme>> = {
  basic: { scheme: 'Basic', parameters: { charset: 'UTF-8' } },
  bearer: { scheme: 'Bearer' },
};
