import type { HttpException } from '@nestjs/common';
import type { AccessToken, Credentials } from '../core/credentials.js';
import type { Instant } from '../core/clock.js';
import type { XPayAuthError } from '../core/errors.js';
import type { Grant } from '../core/ports.js';

/** One of the two last links of the token chain (`token-chain.ts`): shared token, app account. */
export interface GrantProvider {
  /** Maximum duration of one attempt in ms, including the wait for other instances. */
  readonly deadlineMs: number;
  obtain(attempt: Attempt): Promise<LiveGrant>;
}

/** A link that shares the token with other instances. */
export interface SharingLink extends GrantProvider {
  /** From now on, the listener is notified when other instances obtain or reject a token. */
  listen(listener: TokenListener): void;
  /** Call this method when the upstream has rejected the token of this grant on this instance. */
  rejected(grant: LiveGrant): void;
  /** Ends the subscription. Call this method when the app shuts down, and when the token is evicted from memory. */
  stop(): void;
}

/** A grant of the app account, with its lifetime and age. */
export interface LiveGrant extends Omit<Grant, 'refreshToken' | 'upstreamNow'> {
  readonly receivedAt: Instant;
  /** Whole lifetime of the token in ms. */
  readonly lifeMs: number;
  /** Age of the token in ms at `receivedAt`. `undefined` if this instance obtained the token itself. */
  readonly ageMs?: number;
  /** Ms by which the upstream's clock is ahead of ours. 0 if the difference is at most 2 s. */
  readonly clockSkewMs: number;
  /** Id and generation of the token in the store. `undefined` if the token is not shared. */
  readonly stored?: StoredName;
}

/** Identifies one token in the store. */
export interface StoredName {
  /** Id of the app account. */
  readonly id: string;
  readonly generation: number;
}

/** A request of the cached token. */
export interface TokenRequest {
  /** The grant of the current token. `undefined` if there is none. */
  readonly current: LiveGrant | undefined;
  /** Returns the ms for which callers may still use the current token. 0 if there is no current token. */
  readonly usableForMs: () => number;
  /**
   * Aborts at shutdown. For the links after the backoff, also aborts at the deadline of the attempt. The result of an aborted
   * attempt is discarded.
   */
  readonly signal: AbortSignal;
}

/** The option that provides the credentials of an account, for messages. */
export type AccountOption = 'credentials' | 'accounts.credentials';

/** One attempt to obtain a token. */
export interface Attempt extends TokenRequest {
  /** The credentials of the app account that were read for this attempt. */
  readonly credentials: Credentials;
  /** Whether the attempt is a repetition with changed credentials, after the first credentials were rejected. */
  readonly isRepeat: boolean;
  /** The step that the attempt waits for: an option that provides the credentials, or the upstream. */
  readonly progress: { waitsFor: AccountOption | 'upstream' };
  /**
   * Returns the ms for which this instance still refuses a grant of this token, because the upstream has rejected the token. The
   * result does not depend on which instance obtained the grant. `ageMs` is the time since the grant was requested.
   */
  readonly rejectedForMs: (token: AccessToken, ageMs?: number) => number;
  /**
   * Records the failure of the attempt. Only the first call records a failure. Returns `undefined` if the failure causes no
   * backoff.
   */
  readonly failed: (thrown: unknown) => RecordedFailure | undefined;
}

/** A failed attempt and the backoff that follows. */
export interface RecordedFailure {
  readonly error: XPayAuthError;
  readonly backoffMs: number;
  /** Number of consecutive rejections of the account. */
  readonly rejections: number;
  /** Number of consecutive failed attempts. */
  readonly failures: number;
}

/** Thrown if the upstream rejected the credentials, and the credentials of the app account have changed since they were read. */
export class AccountChanged extends Error {
  constructor(readonly credentials: Credentials) {
    super('the credentials have changed');
  }
}

/** Thrown if the option `accounts.credentials` has no account for an id, or threw an exception for the caller. */
export class AccountRefusal extends Error {
  /** @param exception passed to the caller unchanged. Its code is `unknown_account` if there is no such account */
  constructor(
    readonly exception: HttpException,
    readonly isUnknown: boolean,
  ) {
    super('no credentials for this account');
  }
}

/** Is notified when another instance obtains or rejects a token. */
export interface TokenListener {
  /**
   * Called when another instance has a newer token. `read` returns the token, or `undefined` if the token cannot be used. `read`
   * never rejects.
   */
  adopt(read: () => Promise<LiveGrant | undefined>): void;
  /** Called when the upstream has rejected this token on another instance. */
  rejectedElsewhere(token: StoredName): void;
}
