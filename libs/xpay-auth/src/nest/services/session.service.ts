import type { OnModuleDestroy } from '@nestjs/common';
import { type AccessToken, type Credentials, SealedCredentials } from '../../core/credentials.js';
import { XPayAuthError } from '../../core/errors.js';
import { UNKNOWN_ADDRESS } from '../../rate-limit/client-address.js';
import type { ReceivedCredentials } from '../../verification/presented-credentials.js';
import type { CredentialVerifier } from '../../verification/credential-verifier.js';
import type { Session, Sessions } from '../../sessions/sessions.js';
import type { IncomingRequest } from '../../core/incoming-request.js';

/** Where a login comes from. */
export interface LoginContext {
  /**
   * The request of Express or Fastify that asks for the login: its client's address is found as the guards find theirs. A login
   * that waits for a place at the upstream is given up when this client disconnects.
   */
  readonly request?: IncomingRequest | undefined;
  /**
   * The client's address, for counting failed attempts, when there is no `request`. When neither has one, the login counts as
   * from one unknown address.
   */
  readonly address?: string | undefined;
}

/** Logins: exchanges credentials for a bearer token of this app, and ends it. */
export class XPaySessionService implements OnModuleDestroy {
  /** @hidden */
  constructor(
    private readonly sessions: Sessions,
    private readonly verifier: CredentialVerifier,
    private readonly addressOf: (request: IncomingRequest) => string | undefined,
    private readonly disconnectOf: (request: IncomingRequest) => ReceivedCredentials['onDisconnect'],
  ) {}

  /**
   * Checks the credentials at the upstream, always, and begins a session.
   *
   * @param context Where the login comes from. Without it, failed attempts are counted by user name alone. Leave it out if the
   * app does not trust the proxy in front of it: all callers would have the proxy's address.
   * @throws XPayAuthError `invalid_credentials`, `invalid_request`, `too_many_attempts`, or a failure of the upstream.
   */
  async login(credentials: Credentials, context?: LoginContext): Promise<Session> {
    if (!isCredentials(credentials)) {
      throw new XPayAuthError('invalid_request', 'A login needs a user name and a secret key, both strings');
    }
    const { request, address = request ? this.addressOf(request) : UNKNOWN_ADDRESS } = context ?? {};
    return this.sessions.login({
      scheme: 'login',
      credentials: SealedCredentials.of(credentials),
      address: context && address,
      onDisconnect: request && this.disconnectOf(request),
    });
  }

  /**
   * Ends one session, on every instance. An unknown token is no error. With `session.token: 'upstream'` logins that the upstream
   * gave equal tokens are one session.
   *
   * @throws XPayAuthError `store_unavailable`: ended on this instance, and on the others once the `store` is back.
   */
  logout(accessToken: string): Promise<void> {
    return this.sessions.logout(accessToken);
  }

  /**
   * Ends every session of a user and drops their cached credentials, checks under way included. This is not a ban: valid
   * credentials are accepted again. Users go by the upstream's name for them, `principal.username`. With a `store`, the other
   * instances follow within a second.
   *
   * @throws XPayAuthError as {@link logout}.
   */
  revokeUser(username: string): Promise<void> {
    return this.sessions.revokeUser(username);
  }

  /** Ends every session and drops all cached credentials. Throws as {@link logout}. */
  revokeAll(): Promise<void> {
    return this.sessions.revokeAll();
  }

  /** The upstream's own token of a live session, where `session.keepUpstreamToken` keeps it. */
  upstreamToken(accessToken: string): AccessToken | undefined {
    return this.sessions.upstreamToken(accessToken);
  }

  /** Called by Nest. Checks under way fail with `shutting_down`. */
  onModuleDestroy(): void {
    this.verifier.stop();
  }
}

/** A body that a controller hands on as it came may be anything. */
function isCredentials(value: unknown): value is Credentials {
  const { username, secretKey } = (value ?? {}) as Partial<Record<keyof Credentials, unknown>>;
  return typeof username === 'string' && typeof secretKey === 'string';
}
