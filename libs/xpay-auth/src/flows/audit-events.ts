import type { UpstreamReference } from '../core/errors.js';
import type { Purpose } from '../core/ports.js';

/** Who tried, how, and from where. User names are as they were presented; they may hold anything. */
interface Presented {
  readonly scheme: string;
  readonly username: string;
  readonly address: string | undefined;
}

/** What an auditor wants to know of inbound authentication. Holds no secret; a cache hit is no event. */
export type AuditEvent =
  | (Presented & {
      readonly type: 'verified';
      readonly purpose: Purpose;
      readonly reference: UpstreamReference | undefined;
    })
  | (Presented & {
      readonly type: 'refused';
      readonly reason: string;
      readonly reference: UpstreamReference | undefined;
    })
  /** The upstream could not say: down, slow, unreadable. Nobody's fault, nobody let in. */
  | (Presented & {
      readonly type: 'undecided';
      readonly purpose: Purpose;
      readonly reason: string;
      readonly reference: UpstreamReference | undefined;
    })
  | {
      readonly type: 'locked-out';
      readonly username: string;
      readonly address: string | undefined;
      readonly limit: string;
    }
  | { readonly type: 'login' | 'logout'; readonly username: string }
  /** `revokeUser`, or with `*` for everybody `revokeAll`. */
  | { readonly type: 'revoked'; readonly username: string }
  | { readonly type: 'denied'; readonly username: string; readonly requiredScopes: readonly string[] };

export type AuditSink = (event: AuditEvent) => void;
