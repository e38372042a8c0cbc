import type { OnModuleDestroy } from '@nestjs/common';
import { type AccessToken, type Credentials, SealedCredentials } from '../../core/credentials.js';
import { UNKNOWN_ADDRESS } from '../../rate-limit/client-address.js';
import type { ReceivedCredentials } from '../../verification/presented-credentials.js';
import type { CredentialVerifier } from '../../verification/credential-verifier.js';
import type { Session, Sessions } from '../../sessions/sessions.js';
import type { IncomingRequest } from '../../core/incoming-request.js';

/** The origin of a login. */
export interface LoginContext {
  /**
   * The request of Express or Fastify for the login. The client's address is read as in the guards. If the client disconnects
   * while the login waits for a place at the upstream, the login is cancelled.
   */
  readonly request?: IncomingRequest | undefined;
  /**
   * The address of the client, by which failed attempts are counted. Takes precedence over the address of `request`. If neither
   * is known, failed attempts count for the address `unknown`, which all such logins share.
   */
  readonly address?: string | undefined;
}

/** Starts sessions: exchanges credentials for a bearer token of this app. Ends sessions. */
export class XPaySessionService implements OnModuleDestroy {
  /** @hidden */
  constructor(
    private readonly sessions: Sessions,
    private readonly verifier: CredentialVerifier,
    private readonly addressOf: (request: IncomingRequest) => string | undefined,
    private readonly disconnectOf: (request: IncomingRequest) => ReceivedCredentials['onDisconnect'],
  ) {}

  /**
   * Checks the credentials at the upstream and starts a session. Never uses cached credentials.
   *
   * @param context The origin of the login. Without it, failed attempts are counted by user name alone. Leave it out if the app
   * does not trust the proxy in front of it, because all callers would have the address of the proxy.
   * @throws XPayAuthError `invalid_credentials`, `invalid_request`, `too_many_attempts`, or a failure of the upstream.
   */
  async login(credentials: Credentials, context?: LoginContext): Promise<Session> {
    // A controller may pass on a body that it has not validated, so the value may be anything.
    const { username, secretKey } = credentials ?? ({} as Credentials);
    const { request } = context ?? {};
    const address = context?.address ?? (request ? this.addressOf(request) : UNKNOWN_ADDRESS);
    return this.sessions.login({
      scheme: 'login',
      credentials: new SealedCredentials(username, secretKey),
      address: context && address,
      onDisconnect: request && this.disconnectOf(request),
    });
  }

  /**
   * Ends one session, on every instance. An unknown token is not an error. With `session.token: 'upstream'`, logins that returned
   * the same token share one session, so this call ends the session for all of them.
   *
   * @throws XPayAuthError `store_unavailable` if the `store` could not be called. In this case the session has ended on this
   * instance, and ends on the other instances when the `store` is available again.
   */
  logout(accessToken: string): Promise<void> {
    return this.sessions.logout(accessToken);
  }

  /**
   * Ends every session of a user, deletes their cached credentials, and discards the results of checks in progress. The user is
   * not banned, because valid credentials are still accepted. `username` is the upstream's name for the user,
   * `principal.username`. With a `store`, the other instances do the same within a second.
   *
   * @throws XPayAuthError `store_unavailable` like {@link logout}.
   */
  revokeUser(username: string): Promise<void> {
    return this.sessions.revokeUser(username);
  }

  /** Ends every session and deletes all cached credentials. Throws like {@link logout}. */
  revokeAll(): Promise<void> {
    return this.sessions.revokeAll();
  }

  /**
   * Returns the upstream's token that a session keeps. Returns `undefined` if there is no session, or without
   * `session.keepUpstreamToken`. With a `store`, also returns `undefined` until this instance has accepted a request of the session.
   */
  upstreamToken(accessToken: string): AccessToken | undefined {
    return this.sessions.upstreamToken(accessToken);
  }

  /**
   * Returns the number of sessions in the memory of this process that have not ended. With a `store`, these are the sessions
   * that began on this instance or were used on it. A call visits every one of them (at most 100,000), so do not call it for
   * every request.
   */
  count(): number {
    return this.sessions.count();
  }

  /** Called by Nest. Checks in progress fail with `shutting_down`. */
  onModuleDestroy(): void {
    this.verifier.stop();
  }
}
