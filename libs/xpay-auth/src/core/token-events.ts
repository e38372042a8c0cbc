import type { UpstreamReference, XPayAuthErrorCode } from './errors.js';
import type { StoreStatus } from './store.js';

/** An event of the app token, or of the token of another account. Holds no secret. */
export type TokenEvent = TokenChange & {
  /** The id that was passed to `forAccount`; absent for the app account. */
  readonly account?: string;
};

/** An event of a token, without its account. */
export type TokenChange =
  | {
      /** There is a new token: the first one, one that replaces another, or one that another instance obtained (`adopted`). */
      readonly type: 'obtained' | 'refreshed' | 'adopted';
      /** Expiry in ms since the epoch by the upstream's clock; `undefined` if the upstream states none. */
      readonly expiresAt: number | undefined;
      /** Remaining lifetime in ms. */
      readonly lifeMs: number;
      /**
       * Ms for which the replaced token would still have been handed out; 0 if the new token came too late. `undefined` if no
       * token was replaced.
       */
      readonly leadMs: number | undefined;
      /**
       * Ms by which the upstream's clock is ahead of ours (negative: behind); 0 if the difference is at most 2 s, or may result
       * from a slow answer.
       */
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
      /** Ms for which the current token will still be handed out; 0 if there is none. */
      readonly usableForMs: number;
      /** The upstream's own references of the failed login. */
      readonly reference: UpstreamReference | undefined;
    }
  | {
      /** The upstream did not accept the token. The token is not handed out any more. */
      readonly type: 'rejected';
    }
  | {
      /** A caller requested the token, which had not been renewed and may no longer be handed out. */
      readonly type: 'expired';
      /** Failed attempts in a row; 0 if no caller requested the token while its renewal was due. */
      readonly failures: number;
    };

/** The state of the app token, for a health page. */
export interface TokenStatus {
  /**
   * - `none`: no token has been obtained
   * - `fresh`: the token is handed out
   * - `stale`: the token is handed out, and its renewal is due
   * - `expired`: the next caller waits for a new token, because the margin before the end of this one has begun, possibly by the
   *   wall clock only
   */
  readonly state: 'none' | 'fresh' | 'stale' | 'expired';
  /** Expiry in ms since the epoch by the upstream's clock; `undefined` if there is no token or the upstream states none. */
  readonly expiresAt: number | undefined;
  /** Ms for which the current token will still be handed out; 0 if there is none, and in the state `expired`. */
  readonly usableForMs: number;
  /** Time in ms since the epoch from which the next call starts a renewal. `undefined` if no renewal is planned. */
  readonly nextRefreshAt: number | undefined;
  /** Failed attempts in a row. */
  readonly failures: number;
  /** Code of the last failure; `undefined` after an attempt has succeeded. */
  readonly lastError: XPayAuthErrorCode | undefined;
  /**
   * Ms by which the upstream's clock is ahead of ours (negative: behind); 0 if the difference is at most 2 s, or may result from
   * a slow answer.
   */
  readonly clockSkewMs: number;
  /** The state of the shared `store`; `undefined` without one. While the store is `away`, this instance continues alone. */
  readonly store: StoreStatus | undefined;
}
