import type { UpstreamReference } from '../core/errors.js';
import type { Purpose } from '../core/ports.js';

/** Who tried, how, and from where. User names are as they were presented; they may hold anything. */
export interface Attempted {
  /** `Basic`, `Bearer`, an extractor's own, or `login`. */
  readonly scheme: string;
  readonly username: string;
  /** `undefined` where it cannot be known. */
  readonly address: string | undefined;
}

/** What an auditor wants to know of inbound authentication. Holds no secret; a cache hit is no event. */
export type AuditEvent =
  | (Attempted & {
      readonly type: 'verified';
      readonly purpose: Purpose;
      readonly reference: UpstreamReference | undefined;
    })
  | (Omit<Attempted, 'username'> & {
      readonly type: 'refused';
      /** `undefined` for a bearer token, and for what could not be read. */
      readonly username: string | undefined;
      readonly reason: string;
      readonly reference: UpstreamReference | undefined;
    })
  /** Nobody could say: the upstream is down, slow, unreadable, or was asked too much. Nobody's fault, nobody let in. */
  | (Attempted & {
      readonly type: 'undecided';
      readonly purpose: Purpose;
      readonly reason: string;
      readonly reference: UpstreamReference | undefined;
    })
  /** Too many failures: the upstream was not asked. `limit` names the option. */
  | (Attempted & { readonly type: 'locked-out'; readonly limit: string })
  | (Attempted & { readonly type: 'login'; readonly reference: UpstreamReference | undefined })
  | { readonly type: 'logout'; readonly username: string }
  /** `revokeUser`, or with `*` for everybody `revokeAll`. */
  | { readonly type: 'revoked'; readonly username: string }
  /** A caller who is known and may not. */
  | {
      readonly type: 'denied';
      readonly username: string;
      readonly address: string | undefined;
      readonly requiredScopes: readonly string[];
    };

export type AuditSink = (event: AuditEvent) => void;
