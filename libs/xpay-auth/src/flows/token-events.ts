import type { UpstreamReference, XPayAuthErrorCode } from '../core/errors.js';
import type { StoreStatus } from '../core/store.js';

/** What happened to the app's own token. Holds no secret. */
export type TokenEvent =
  | {
      /** `adopted`: another instance has got it from the upstream. */
      readonly type: 'obtained' | 'refreshed' | 'adopted';
      /** Ms since the epoch by the upstream's clock. */
      readonly expiresAt: number | undefined;
      /** Ms it lives from now. */
      readonly lifeMs: number;
      /**
       * Ms for which the token that it replaces would still have been handed out; 0: it came too late. `undefined`: it
       * replaces none.
       */
      readonly leadMs: number | undefined;
      /** How far the upstream's clock is ahead of ours in ms; 0 where it is not worth a word. */
      readonly clockSkewMs: number;
      readonly reference: UpstreamReference | undefined;
    }
  | {
      readonly type: 'refresh-failed';
      readonly code: XPayAuthErrorCode;
      /** What went wrong, in a sentence for the log. */
      readonly reason: string;
      /** Failed attempts in a row. */
      readonly failures: number;
      /** Ms for which the token at hand will still be handed out; 0 without one. */
      readonly usableForMs: number;
      readonly reference: UpstreamReference | undefined;
    }
  /** The upstream did not accept the token; it is not handed out any more. */
  | { readonly type: 'rejected' }
  | {
      /** The token passed its margin unrenewed, and somebody asked for it. */
      readonly type: 'expired';
      /** Failed attempts in a row; 0: nobody had asked for a token while it was due. */
      readonly failures: number;
    };

/** How the app's own token is doing; fit for a health page. */
export interface TokenStatus {
  readonly state: 'none' | 'fresh' | 'stale' | 'expired';
  /** Ms since the epoch by the upstream's clock. */
  readonly expiresAt: number | undefined;
  /** Ms for which the token at hand will still be handed out. */
  readonly usableForMs: number;
  /** Ms since the epoch from which the next caller sets off a renewal; `undefined`: nothing is planned. */
  readonly nextRefreshAt: number | undefined;
  /** Failed attempts in a row. */
  readonly failures: number;
  /** Code of the last failure, until an attempt succeeds. */
  readonly lastError: XPayAuthErrorCode | undefined;
  /** How far the upstream's clock is ahead of ours in ms; 0 where it is not worth a word. */
  readonly clockSkewMs: number;
  /** How the shared `store` is doing; `undefined` without one. While it is `away` this instance goes on alone. */
  readonly store: StoreStatus | undefined;
}
