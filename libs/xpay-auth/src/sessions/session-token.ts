import type { AccessToken, Secret } from '../core/credentials.js';
import { XPayAuthError } from '../core/errors.js';
import type { CallerToken, TokenRejection } from '../core/principal.js';
import type { GrantedToken } from '../verification/kept-token.js';

/** The sessions to which the tokens belong. */
export interface SessionTokenOwner {
  /** Whether the session of this token has neither ended nor been replaced. */
  isAlive(token: SessionToken): boolean;
  /** Returns the newest token that a later check of the same credentials has returned, if any. */
  newerToken(token: SessionToken): GrantedToken | undefined;
  /** Ends the session of this token, on all instances. */
  end(token: SessionToken): void;
}

/** The data that identify a session and the credentials of its login. */
export interface SessionTokenFacts {
  /** Digest of the `Authorization` header of the session. */
  readonly key: string;
  /** Digest of the credentials of the login. `undefined` if another instance has checked the credentials. */
  readonly credentialsKey: string | undefined;
  /** The bearer token of a shared session, without which the session cannot be deleted in the store. */
  readonly bearer: Secret | undefined;
}

/** The upstream's token of one session (`session.keepUpstreamToken`). */
export class SessionToken implements CallerToken {
  #granted: GrantedToken | undefined;

  /** @param granted `undefined` if the session was stored by an instance that does not keep tokens */
  constructor(
    readonly facts: SessionTokenFacts,
    granted: GrantedToken | undefined,
    private readonly owner: SessionTokenOwner,
  ) {
    this.#granted = granted;
  }

  /** The token. `undefined` if none was stored. */
  get granted(): GrantedToken | undefined {
    return this.#granted;
  }

  async get(): Promise<AccessToken> {
    if (!this.owner.isAlive(this)) throw over('The session of this caller has ended');
    if (this.#granted !== undefined) return this.#granted.token;
    this.owner.end(this);
    throw over('The session was stored without the token of the upstream');
  }

  invalidate(rejected: AccessToken, { mayRepeat, reference }: TokenRejection): XPayAuthError | undefined {
    // Another call of this session may already have replaced the rejected token.
    if (this.#granted?.token.value === rejected.value) {
      const newer = this.owner.newerToken(this);
      if (newer === undefined) {
        this.owner.end(this);
        return over('The upstream rejected the token of this session', reference);
      }
      this.#granted = newer;
    }
    if (mayRepeat) return undefined;
    const message = 'A later check of the same credentials replaced the token during the call';
    return new XPayAuthError('upstream_unavailable', message, { retryAfterMs: 1_000, reference });
  }
}

function over(message: string, reference?: TokenRejection['reference']): XPayAuthError {
  return new XPayAuthError('invalid_token', message, { reference });
}
