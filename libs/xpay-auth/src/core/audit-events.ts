import type { UpstreamReference } from './errors.js';
import type { Purpose } from './ports.js';

/** Who tried, how, and from where. User names are as they were presented; they may hold anything. */
export interface Attempted {
  /** `Basic`, `Bearer`, an extractor's own, or `login`. Of a refusal also another well-known one, or `unknown`. */
  readonly scheme: string;
  /** As it was presented; of a `login` the upstream's name for the user. */
  readonly username: string;
  /**
   * The client's address. `unknown` when the connection has none: it was reset before the server accepted it, or it is a Unix
   * socket. `undefined` when attempts are not counted by address: an untrusted proxy, a message of a microservice, or a login
   * without an address.
   */
  readonly address: string | undefined;
}

/** What an auditor wants to know of inbound authentication. Holds no secret; a cache hit is no event. */
export type AuditEvent =
  | (Attempted & {
      /** The upstream was asked and accepted the credentials. */
      readonly type: 'verified';
      /** What they were presented for. */
      readonly purpose: Purpose;
      /** The upstream's own references of the check. */
      readonly reference: UpstreamReference | undefined;
    })
  | (Omit<Attempted, 'username'> & {
      /** Somebody was told 400 or 401. */
      readonly type: 'refused';
      /** `undefined` for a bearer token, and for what could not be read. */
      readonly username: string | undefined;
      /** Why, in a few words or as an `XPayAuthErrorCode`. */
      readonly reason: string;
      /** The upstream's own references of the check; `undefined` where it was not asked. */
      readonly reference: UpstreamReference | undefined;
    })
  | (Attempted & {
      /** Nobody could say: the upstream is down, slow, unreadable, or was asked too much. Nobody's fault, nobody let in. */
      readonly type: 'undecided';
      /** What the credentials were presented for. */
      readonly purpose: Purpose;
      /** An `XPayAuthErrorCode`. */
      readonly reason: string;
      /** The upstream's own references of the check, where it gave any. */
      readonly reference: UpstreamReference | undefined;
    })
  | (Attempted & {
      /** Too many failures: 429, and the upstream was not asked. */
      readonly type: 'locked-out';
      /** The limit that is spent, by the name of its option: `perUserAndAddress`, `perAddress` or `perUser`. */
      readonly limit: string;
    })
  | (Attempted & {
      /** A session began. */
      readonly type: 'login';
      /** The upstream's own references of the login. */
      readonly reference: UpstreamReference | undefined;
    })
  | {
      /** A session was ended by `logout`. */
      readonly type: 'logout';
      /** Whose session it was. */
      readonly username: string;
    }
  | {
      /** Sessions and what is remembered were ended by `revokeUser` or `revokeAll`. */
      readonly type: 'revoked';
      /** Whose; `*` for everybody's. */
      readonly username: string;
    }
  | {
      /** A caller who is known and may not: 403. */
      readonly type: 'denied';
      /** The upstream's name for them. */
      readonly username: string;
      /** The client's address, as for the other events. */
      readonly address: string | undefined;
      /** The scopes that the route asks for. */
      readonly requiredScopes: readonly string[];
    };

/** Where the flows send their events. */
export type AuditSink = (event: AuditEvent) => void;
