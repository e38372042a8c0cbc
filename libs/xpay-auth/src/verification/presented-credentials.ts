import type { Attempted, AuditSink } from '../core/audit-events.js';
import type { Callers, OnLeave } from '../async/promises.js';
import type { AuthorizationLine, Credentials } from '../core/credentials.js';
import { XPayAuthError } from '../core/errors.js';
import type { Grant, Purpose } from '../core/ports.js';
import type { Principal } from '../core/principal.js';
import type { RevocationPosition } from './upstream-check.js';

/** Credentials that were read from a request. */
export interface ReceivedCredentials {
  /** The scheme in any case of letters: `Basic`, `login`, or the scheme of an extractor. */
  readonly scheme: string;
  readonly credentials: Credentials;
  /** The client's address, for counting attempts. `undefined` if attempts are not counted by address. */
  readonly address: string | undefined;
  /** The `Authorization` header and its digest, if they were read already. */
  readonly header?: AuthorizationLine | undefined;
  /** Reports that the client has disconnected. `undefined` if a disconnection cannot be detected. */
  readonly onDisconnect?: OnLeave | undefined;
}

/** Valid credentials, with the keys that every link of the chain uses. */
export interface PresentedCredentials {
  /** The scheme, username and address, for audit events and counters. */
  readonly by: Attempted;
  readonly credentials: Credentials;
  readonly purpose: Purpose;
  /**
   * Digest of username and secret. The digest does not contain dialect and base URL, because each instance has only one of each.
   * In a shared store, dialect and base URL are part of the name of an entry.
   */
  readonly key: string;
  /** {@link key} with purpose and scheme. Concurrent checks with the same `checkKey` are one check. */
  readonly checkKey: string;
  /**
   * Whether the username or the secret is empty. Such credentials are rejected without a call of the upstream, and count as a
   * failed attempt.
   */
  readonly isEmpty: boolean;
  /** Whether cached credentials are checked again. A renewal does not count as an attempt, and has reserved places. */
  readonly isRenewal: boolean;
  /** Reports that the client of this request has disconnected. */
  readonly onDisconnect?: OnLeave | undefined;
  /** All callers who wait for this check. `undefined` before the caller has joined a check. */
  readonly callers?: Callers | undefined;
  /**
   * Throws `overloaded` or {@link ReservationsOpen} if the upstream may not be called now for this network. Returns a promise only
   * if the decision depends on `isTrusted`. Called after the attempt is reserved, so that a caller who is locked out does not use
   * the one check per second of the network.
   *
   * @param isTrusted returns whether the address is trusted for the user. Called only if the decision depends on it
   */
  readonly admit?: ((isTrusted: () => Promise<boolean>) => Promise<void> | undefined) | undefined;
}

/** The result of a check. Instants are on the monotonic clock. */
export interface Verified {
  readonly principal: Principal;
  readonly grant: Grant;
  /** Position in the order of revocations before the upstream was called. */
  readonly mark: RevocationPosition;
  readonly askedAt: number;
  /** Ms by which the wall clock was ahead of the monotonic clock when the upstream was called. */
  readonly wallAheadMs: number;
  readonly answeredAt: number;
  /** Lifetime of the grant in ms from `answeredAt`. `undefined` if the upstream stated none. */
  readonly lifeMs: number | undefined;
}

/** One link of the chain that authenticates callers. A link calls only the next link. */
export interface Authenticator {
  /** Rejects with `XPayAuthError`: `invalid_credentials`, `too_many_attempts`, or a failure that is not the caller's. */
  authenticate(presented: PresentedCredentials): Promise<Verified>;
}

/** Thrown if a limit is reached only because of checks in progress. The caller then waits until one of these checks ends. */
export class ReservationsOpen extends Error {
  constructor() {
    super('a limit is reached because of checks in progress');
  }
}

/** Emits the audit event of a rejection, and returns the rejection. */
export function rejection(
  audit: AuditSink,
  { by }: PresentedCredentials,
  reason: string,
  { reference }: Pick<XPayAuthError, 'reference'> = {},
): XPayAuthError {
  audit({ type: 'refused', ...by, reason, reference });
  return new XPayAuthError('invalid_credentials', `The credentials were rejected: ${reason}`, { reference });
}

/** Emits the audit event of a failure after which the caller is neither accepted nor rejected. Returns the failure. */
export function undecided(
  audit: AuditSink,
  { by, purpose }: PresentedCredentials,
  failure: XPayAuthError,
): XPayAuthError {
  const { code: reason, reference } = failure;
  audit({ type: 'undecided', purpose, ...by, reason, reference });
  return failure;
}

export function isRejection(failure: unknown): boolean {
  return failure instanceof XPayAuthError && failure.code === 'invalid_credentials';
}

/** Failures of {@link individualFailure}. */
const individual = new WeakSet<Error>();

/** Records that a failure concerns only the address or the clients of the callers who began a check. Returns the failure. */
export function individualFailure(failure: XPayAuthError): XPayAuthError {
  individual.add(failure);
  return failure;
}

/**
 * Whether a failure does not apply to other callers with the same credentials: the address is locked out, only an unavailable
 * store knows whether it is trusted, or the failure is an {@link individualFailure}.
 */
export function isIndividual(failure: unknown): failure is XPayAuthError {
  if (!(failure instanceof XPayAuthError)) return false;
  return individual.has(failure) || failure.code === 'too_many_attempts' || failure.code === 'store_unavailable';
}
