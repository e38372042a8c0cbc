import type { AccessToken } from '../core/credentials.js';
import { XPayAuthError } from '../core/errors.js';
import type { CallerToken, TokenRejection } from '../core/principal.js';
import type { RevocationPosition } from './upstream-check.js';

/** Number of the tokens that this process has received. Clocks cannot order two tokens of the same ms. */
let received = 0;

/** A token that a check or the store has returned. */
export class GrantedToken {
  /** Later tokens have a greater order. */
  readonly order = ++received;

  constructor(readonly token: AccessToken) {}
}

/** The cache that keeps a token. */
export interface TokenKeeper {
  /** Whether this user was revoked after this position. */
  revokedSince(mark: RevocationPosition, username: string): boolean;
  /**
   * Call this method when the upstream has rejected the token of these credentials. If a later check of the same credentials has
   * returned another token, returns that token. Otherwise deletes the cached caller.
   */
  tokenRejected(key: string, token: AccessToken): GrantedToken | undefined;
}

/** Ms after which the caller may try again. The next request checks the credentials again, which returns a new token. */
const RETRY_AFTER_MS = 1_000;

/** The token of a caller who presents credentials with each request (`verification.keepUpstreamToken`). */
export class KeptToken implements CallerToken {
  /** The token. `undefined` if the upstream has rejected it. */
  granted: GrantedToken | undefined;

  /**
   * @param key digest of the credentials
   * @param mark position in the order of revocations before the upstream was called
   */
  constructor(
    token: AccessToken,
    private readonly key: string,
    private readonly username: string,
    private readonly mark: RevocationPosition,
    private readonly keeper: TokenKeeper,
  ) {
    this.granted = new GrantedToken(token);
  }

  async get(): Promise<AccessToken> {
    if (this.keeper.revokedSince(this.mark, this.username)) throw unusable('The caller was revoked');
    if (this.granted === undefined) throw unusable('The upstream rejected the token of this caller');
    return this.granted.token;
  }

  invalidate(rejected: AccessToken, { mayRepeat, reference }: TokenRejection): XPayAuthError | undefined {
    // Another call of this caller may already have replaced the rejected token.
    if (this.granted?.token.value === rejected.value) {
      this.granted = this.keeper.tokenRejected(this.key, rejected);
    }
    if (mayRepeat && this.granted !== undefined) return undefined;
    return unusable('The upstream rejected the token of this caller', reference);
  }
}

function unusable(message: string, reference?: TokenRejection['reference']): XPayAuthError {
  return new XPayAuthError('upstream_unavailable', message, { retryAfterMs: RETRY_AFTER_MS, reference });
}
