import type { Attempted } from '../core/audit-events.js';
import type { Limit } from './limiter.js';

export type { Limit } from './limiter.js';

/** The option `attempts`: how many failures each counter takes. */
export interface AttemptLimits {
  /** For one username from one address. */
  readonly perUserAndAddress: Limit;
  /** From one address, for any usernames. */
  readonly perAddress: Limit;
  /** For one username, from any address. */
  readonly perUser: Limit;
}

/** One reserved attempt. Call one of the first four methods, once. Until then it makes other callers wait. */
export interface ReservedAttempt {
  /** The credentials were right: gives the attempt back, and trusts the address for this user. */
  succeeded(): Promise<void>;
  /** The credentials were rejected: the attempt stays counted, and is known as a failure. */
  failed(): Promise<void>;
  /** The upstream did not decide, or the same rejection has been counted already. */
  refund(): Promise<void>;
  /** The upstream answered 429: the attempt counts as failed for the user name, and is given back to the address. */
  refundAddress(): Promise<void>;
  /** Whether this user was authenticated from this address recently; `false` where that is unknown. */
  isFromTrustedAddress(): Promise<boolean>;
}

/** Counts failures by reserving an attempt before the upstream is called: counting afterwards lets parallel guesses through. */
export interface Attempts {
  /** Throws `too_many_attempts` when this process already knows that failures have used up a limit. Calls no store. */
  refuseLockedOut(by: Attempted): void;
  /**
   * Reserves one attempt. Returns `undefined` when the caller must wait: a limit is reached only because reservations are still
   * open, here or on other instances, or the store has just lost its data, and with it whether the address is trusted. Throws `too_many_attempts` when failures have used it up; `store_unavailable` where only the store could
   * decide.
   */
  reserve(by: Attempted): Promise<ReservedAttempt | undefined>;
  /**
   * Reserves one attempt for credentials without a user name or a secret, in this process only, because they cost no call of
   * the upstream. Without an address they are not counted, because the number of names would have no limit. Throws `too_many_attempts`.
   */
  reserveEmpty(by: Attempted): ReservedAttempt;
  /** Costs nothing: the renewal of a cached caller. */
  free(by: Attempted): ReservedAttempt;
  /** The store has lost its data. Returns a function that writes the trusted addresses again; call it until it resolves. */
  storeLostData(): () => Promise<void>;
}

const nothing = (): Promise<void> => Promise.resolve();
const uncounted: ReservedAttempt = {
  succeeded: nothing,
  failed: nothing,
  refund: nothing,
  refundAddress: nothing,
  isFromTrustedAddress: () => Promise.resolve(false),
};

/** Counts nothing: `attempts: false`. */
export const unlimitedAttempts: Attempts = {
  refuseLockedOut: () => undefined,
  reserve: () => Promise.resolve(uncounted),
  reserveEmpty: () => uncounted,
  free: () => uncounted,
  storeLostData: () => nothing,
};
