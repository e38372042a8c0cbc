import { type AccessToken, Secret } from '../core/credentials.js';
import { XPayAuthError } from '../core/errors.js';
import type { CallerToken, Principal, TokenRejection } from '../core/principal.js';
import type { GrantedToken } from '../verification/kept-token.js';

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
  /** @param granted the token. `undefined` if the session was stored by an instance that does not keep tokens */
  constructor(
    readonly facts: SessionTokenFacts,
    public granted: GrantedToken | undefined,
    private readonly owner: SessionTokens,
  ) {}

  async get(): Promise<AccessToken> {
    if (this.granted !== undefined) await this.owner.recheck(this);
    if (!this.owner.isAlive(this)) throw over('The session of this caller has ended');
    if (this.granted !== undefined) return this.granted.token;
    this.owner.end(this);
    throw over('The session was stored without the token of the upstream');
  }

  invalidate(rejected: AccessToken, { mayRepeat, reference }: TokenRejection): XPayAuthError | undefined {
    // Another call of this session may already have replaced the rejected token.
    if (this.granted?.token.value === rejected.value) {
      const newer = this.owner.newerToken(this);
      if (newer === undefined) {
        this.owner.end(this);
        return over('The upstream rejected the token of this session', reference);
      }
      this.granted = newer;
    }
    if (mayRepeat) return undefined;
    const message = 'A later check of the same credentials replaced the token during the call';
    return new XPayAuthError('upstream_unavailable', message, { retryAfterMs: 1_000, reference });
  }
}

/** A session in memory, as far as its token is concerned. */
interface OwnedSession {
  readonly principal: Principal;
  readonly token: SessionToken | undefined;
}

export interface SessionTokensParts {
  /** Whether a session is also in a store. */
  readonly isShared: boolean;
  /** Returns the session of this key from memory, unless the session has ended. */
  readonly alive: (key: string) => OwnedSession | undefined;
  /** Reads a shared session from the store again, unless its last read is recent. May throw `store_unavailable`. */
  readonly recheck: (key: string, bearer: string) => Promise<void>;
  /** Returns the sessions of a user. */
  readonly ofUser: (username: string) => readonly OwnedSession[];
  /** Returns the token of cached credentials. */
  readonly keptToken: (credentialsKey: string) => GrantedToken | undefined;
  /** Ends the session of this key on all instances. */
  readonly end: (key: string, bearer: string | undefined) => Promise<void>;
}

/** Creates the tokens of sessions, and finds newer ones. */
export class SessionTokens {
  constructor(private readonly parts: SessionTokensParts) {}

  /**
   * Returns the object that holds the upstream's token of a session, without a token if none was stored. Sessions with the same
   * bearer token are one session, so they share the object.
   */
  of(
    { key, credentialsKey, bearer }: Omit<SessionTokenFacts, 'bearer'> & { readonly bearer: string },
    granted: GrantedToken | undefined,
  ): SessionToken {
    const known = this.parts.alive(key)?.token;
    if (known?.granted !== undefined) return known;
    const facts = { key, credentialsKey, bearer: this.parts.isShared ? new Secret(bearer) : undefined };
    return new SessionToken(facts, granted, this);
  }

  /** Notices the end of a shared session on another instance, whose notification may be lost. */
  async recheck({ facts: { key, bearer } }: SessionToken): Promise<void> {
    if (bearer !== undefined) await this.parts.recheck(key, bearer.reveal());
  }

  /** Whether the session of this token has neither ended nor been replaced. */
  isAlive(token: SessionToken): boolean {
    return this.parts.alive(token.facts.key)?.token === token;
  }

  /**
   * Returns the newest token of the same credentials that this instance has obtained since, for a cached caller or for another
   * session. An upstream that keeps one token per account has then rejected the token of this session because of that check.
   */
  newerToken({ facts, granted }: SessionToken): GrantedToken | undefined {
    const { alive, ofUser, keptToken } = this.parts;
    const { key, credentialsKey } = facts;
    const session = alive(key);
    if (session === undefined || credentialsKey === undefined) return undefined;
    const others = ofUser(session.principal.username).flatMap(({ token }) => {
      return token?.facts.credentialsKey === credentialsKey ? (token.granted ?? []) : [];
    });
    const newer = [keptToken(credentialsKey) ?? [], others].flat().filter(({ token, order }) => {
      return order > (granted?.order ?? 0) && token.value !== granted?.token.value;
    });
    return newer.toSorted((one, other) => other.order - one.order)[0];
  }

  /** Ends the session of this token on all instances, in the background. */
  end(token: SessionToken): void {
    // A later session may have the same bearer token.
    if (!this.isAlive(token)) return;
    const { key, bearer } = token.facts;
    // If the store is unavailable, the session has ended on this instance, and the logout is repeated later.
    void this.parts.end(key, bearer?.reveal()).catch(() => undefined);
  }
}

function over(message: string, reference?: TokenRejection['reference']): XPayAuthError {
  return new XPayAuthError('invalid_token', message, { reference });
}
