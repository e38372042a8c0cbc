import type { UpstreamReference, XPayAuthErrorCode } from './errors.js';
import type { StoreStatus } from './store.js';

/** An event of the app token. Holds no secret. */
export type TokenEvent =
  | {
      /** There is a new token: the first one, one that replaces another, or one that another instance obtained (`adopted`). */
      readonly type: 'obtained' | 'refreshed' | 'adopted';
      /** Ms since the epoch by the upstream's clock. */
      readonly expiresAt: number | undefined;
      /** Remaining lifetime in ms. */
      readonly lifeMs: number;
      /**
       * Ms for which the token that it replaces would still have been handed out; 0: it came too late. `undefined`: it
       * replaces none.
       */
      readonly leadMs: number | undefined;
      /** How far the upstream's clock is ahead of ours in ms; 0 where it is not worth a word. */
      readonly clockSkewMs: number;
      /** The upstream's own references of the login. */
      readonly reference: UpstreamReference | undefined;
    }
  | {
      /** An attempt to get a new token failed. */
      readonly type: 'refresh-failed';
      /** One of the closed set of codes. */
      readonly code: XPayAuthErrorCode;
      /** The reason, for the log. */
      readonly reason: string;
      /** Failed attempts in a row. */
      readonly failures: number;
      /** Ms for which the token at hand will still be handed out; 0 without one. */
      readonly usableForMs: number;
      /** The upstream's own references of the failed login. */
      readonly reference: UpstreamReference | undefined;
    }
  | {
      /** The upstream did not accept the token; it is not handed out any more. */
      readonly type: 'rejected';
    }
  | {
      /** A caller requested the token after its margin, and it had not been renewed. */
      readonly type: 'expired';
      /** Failed attempts in a row; 0: no caller had requested a token while it was due. */
      readonly failures: number;
    };

/** The state of the app token, for a health page. */
export interface TokenStatus {
  /**
   * `none`: never obtained · `fresh`: handed out · `stale`: handed out and due for renewal · `expired`: past its margin, or
   * past it by the wall clock alone, so the next caller waits for a new one.
   */
  readonly state: 'none' | 'fresh' | 'stale' | 'expired';
  /** Ms since the epoch by the upstream's clock. */
  readonly expiresAt: number | undefined;
  /** Ms for which the token at hand will still be handed out; 0 without one, and when `expired`. */
  readonly usableForMs: number;
  /** Time in ms since the epoch from which the next call starts a renewal. `undefined` if no renewal is planned. */
  readonly nextRefreshAt: number | undefined;
  /** Failed attempts in a row. */
  readonly failures: number;
  /** Code of the last failure, until an attempt succeeds. */
  readonly lastError: XPayAuthErrorCode | undefined;
  /** How far the upstream's clock is ahead of ours in ms; 0 where it is not worth a word. */
  readonly clockSkewMs: number;
  /** The state of the shared `store`; `undefined` without one. While it is `away` this instance continues alone. */
  readonly store: StoreStatus | undefined;
}
