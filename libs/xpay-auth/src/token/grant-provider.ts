import type { AccessToken, Credentials } from '../core/credentials.js';
import type { Instant } from '../core/clock.js';
import type { XPayAuthError } from '../core/errors.js';
import type { Grant } from '../core/ports.js';

/** One link of the chain that obtains the app token: shared token → app account. */
export interface GrantProvider {
  /** Ms that one attempt may take, including the time it waits for other instances. */
  readonly deadlineMs: number;
  obtain(attempt: Attempt): Promise<LiveGrant>;
}

/** A link that shares the token with other instances. */
export interface SharingLink extends GrantProvider {
  /** The listener receives what other instances do from here on. */
  listen(listener: TokenListener): void;
  /** The upstream rejected the token of this grant when this instance used it. */
  rejected(grant: LiveGrant): void;
  /** The app is shutting down. */
  stop(): void;
}

/** A grant of the app account, and where in its lifetime it is. */
export interface LiveGrant extends Omit<Grant, 'refreshToken' | 'upstreamNow'> {
  readonly receivedAt: Instant;
  /** Length of the whole lifetime, in ms. */
  readonly lifeMs: number;
  /** Ms of `lifeMs` that had passed at `receivedAt`; `undefined` unless another instance obtained it. */
  readonly ageMs?: number;
  /** Ms by which the upstream's clock is ahead of ours; 0 where the difference is too small to matter. */
  readonly clockSkewMs: number;
  /** Where it is in the store; `undefined` if it is not shared. */
  readonly stored?: StoredName;
}

/** Names one token in the store. */
export interface StoredName {
  /** Of the account. */
  readonly id: string;
  readonly generation: number;
}

/** A request of the cached token. */
export interface TokenRequest {
  /** The grant whose token is handed out now. */
  readonly current: LiveGrant | undefined;
  /** Returns the ms for which the current token may still be handed out; 0 without one. */
  readonly usableForMs: () => number;
  /** Aborts at shutdown and, below the backoff, at the deadline. An attempt that was aborted changes nothing any more. */
  readonly signal: AbortSignal;
}

/** One attempt to obtain a token. */
export interface Attempt extends TokenRequest {
  /** The app account as it was read for this attempt. */
  readonly credentials: Credentials;
  /** It is repeated with other credentials, because the first ones were rejected. */
  readonly isRepeat: boolean;
  /** The current step of the attempt. */
  readonly progress: { waitsFor: 'credentials' | 'upstream' };
  /**
   * Returns for how many ms more a grant of this token is refused, because the upstream has rejected it, no matter which
   * instance obtained it. `ageMs`: time since the grant was requested.
   */
  readonly rejectedForMs: (token: AccessToken, ageMs?: number) => number;
  /** Records, once, how the attempt failed. Returns `undefined` if there is nothing to back off from. */
  readonly failed: (thrown: unknown) => RecordedFailure | undefined;
}

/** A failed attempt and the backoff that follows. */
export interface RecordedFailure {
  readonly error: XPayAuthError;
  readonly backoffMs: number;
  /** How often in a row the account has been rejected. */
  readonly rejections: number;
  /** Failed attempts in a row. */
  readonly failures: number;
}

/** Thrown when credentials were rejected that have changed since. */
export class AccountChanged extends Error {
  constructor(readonly credentials: Credentials) {
    super('the credentials have changed');
  }
}

/** Receives what other instances do to the token. */
export interface TokenListener {
  /** Another instance has a newer token, which `read` returns, or `undefined` if it is of no use. `read` never rejects. */
  adopt(read: () => Promise<LiveGrant | undefined>): void;
  /** The upstream rejected this token when another instance used it. */
  rejectedElsewhere(token: StoredName): void;
}
