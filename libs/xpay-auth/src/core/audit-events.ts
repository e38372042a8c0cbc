import type { UpstreamReference } from './errors.js';
import type { Purpose } from './ports.js';

/** An attempt to authenticate. Usernames are as they were presented and may hold anything. */
export interface Attempted {
  /** `Basic`, `Bearer`, the scheme of an extractor, or `login`. With `refused` also another well-known scheme, or `unknown`. */
  readonly scheme: string;
  /** As it was presented; with `login` the upstream's name for the user. */
  readonly username: string;
  /**
   * The client's address. `unknown` when the connection has none: it was reset before the server accepted it, or it is a Unix
   * socket. `undefined` when attempts are not counted by address: an untrusted proxy, a message of a microservice, or a login
   * without an address.
   */
  readonly address: string | undefined;
}

/** An event of inbound authentication. Holds no secret. A cache hit is no event. */
export type AuditEvent =
  | (Attempted & {
      /** The upstream accepted the credentials. */
      readonly type: 'verified';
      /** The purpose for which they were presented. */
      readonly purpose: Purpose;
      /** The upstream's own references of the check. */
      readonly reference: UpstreamReference | undefined;
    })
  | (Omit<Attempted, 'username'> & {
      /** A caller was answered 400 or 401. */
      readonly type: 'refused';
      /** `undefined` for a bearer token and for what could not be read, unless a handler rejected an authenticated caller. */
      readonly username: string | undefined;
      /** The reason, in a few words or as an `XPayAuthErrorCode`; the error's message if a handler threw `invalid_request`. */
      readonly reason: string;
      /** The upstream's own references of the check; `undefined` where it was not called. */
      readonly reference: UpstreamReference | undefined;
    })
  | (Attempted & {
      /** The check failed: the upstream is down, slow, unreadable or busy. The caller is not authenticated and not blamed. */
      readonly type: 'undecided';
      /** The purpose for which the credentials were presented. */
      readonly purpose: Purpose;
      /** An `XPayAuthErrorCode`. */
      readonly reason: string;
      /** The upstream's own references of the check, where it gave any. */
      readonly reference: UpstreamReference | undefined;
    })
  | (Attempted & {
      /** Too many failed attempts: 429. The upstream was not called. */
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
      /** `logout` ended a session. */
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
      /** An authenticated caller lacks a scope: 403. */
      readonly type: 'denied';
      /** The upstream's name for them. */
      readonly username: string;
      /** The client's address, as for the other events. */
      readonly address: string | undefined;
      /** The scopes that the route requires, or that a handler named in its error. */
      readonly requiredScopes: readonly string[];
    };

/** Receives the events. */
export type AuditSink = (event: AuditEvent) => void;
