import type { UpstreamReference } from './errors.js';
import type { Purpose } from './ports.js';

/** An attempt to authenticate. A presented username is not validated and may contain any text. */
export interface Attempted {
  /** `Basic`, `Bearer`, the scheme of an extractor, or `login`. For `refused`, also another well-known scheme, or `unknown`. */
  readonly scheme: string;
  /** The presented username; for the event `login`, the upstream's name for the user. */
  readonly username: string;
  /**
   * The client's address. `unknown` if the connection has no address, because it was reset before the server accepted it or
   * because it is a Unix socket. `undefined` if attempts are not counted by address: behind an untrusted proxy, for a message of
   * a microservice, or for a login without an address.
   */
  readonly address: string | undefined;
}

/** An event of inbound authentication. Contains no secret. There is no event for a cache hit. */
export type AuditEvent =
  | (Attempted & {
      /** The upstream accepted the credentials. */
      readonly type: 'verified';
      /** The purpose for which the credentials were presented. */
      readonly purpose: Purpose;
      /** The upstream's own references of the check. */
      readonly reference: UpstreamReference | undefined;
    })
  | (Omit<Attempted, 'username'> & {
      /** A caller received a 400 or 401. */
      readonly type: 'refused';
      /**
       * The username. `undefined` for a bearer token and for unreadable credentials, unless a handler rejected an authenticated
       * caller.
       */
      readonly username: string | undefined;
      /** The reason, in a few words or as an `XPayAuthErrorCode`; the error's message if a handler threw `invalid_request`. */
      readonly reason: string;
      /** The upstream's own references of the check; `undefined` if the upstream was not called. */
      readonly reference: UpstreamReference | undefined;
    })
  | (Attempted & {
      /**
       * The check failed because the upstream is down, slow, busy, or sent an unreadable answer. The caller is not authenticated.
       * The credentials may be valid.
       */
      readonly type: 'undecided';
      /** The purpose for which the credentials were presented. */
      readonly purpose: Purpose;
      /** An `XPayAuthErrorCode`. */
      readonly reason: string;
      /** The upstream's own references of the check, if it sent any. */
      readonly reference: UpstreamReference | undefined;
    })
  | (Attempted & {
      /** A caller received a 429 because of too many failed attempts. The upstream was not called. */
      readonly type: 'locked-out';
      /** The limit that was reached, by the name of its option: `perUserAndAddress`, `perAddress` or `perUser`. */
      readonly limit: string;
    })
  | (Attempted & {
      /** A session began. */
      readonly type: 'login';
      /** The upstream's own references of the login. */
      readonly reference: UpstreamReference | undefined;
    })
  | {
      /** `logout` ended a session, or the upstream rejected the token of a session in a call as its caller. */
      readonly type: 'logout';
      /** The user of the session. */
      readonly username: string;
    }
  | {
      /** `revokeUser` or `revokeAll` ended sessions and cached credentials. */
      readonly type: 'revoked';
      /** The user; `*` for all users. */
      readonly username: string;
    }
  | {
      /** An authenticated caller received a 403 because of a missing scope. */
      readonly type: 'denied';
      /** The upstream's name for the caller. */
      readonly username: string;
      /** The client's address, as for the other events. */
      readonly address: string | undefined;
      /** The scopes that the route requires, or that a handler named in its error. */
      readonly requiredScopes: readonly string[];
    };

/** Receives the events. */
export type AuditSink = (event: AuditEvent) => void;
