import type { Attempted, AuditSink } from '../core/audit-events.js';
import type { Callers, OnLeave } from '../async/promises.js';
import type { AuthorizationLine, Credentials } from '../core/credentials.js';
import { XPayAuthError } from '../core/errors.js';
import type { Grant, Purpose } from '../core/ports.js';
import type { Principal } from '../core/principal.js';
import type { RevocationPosition } from './upstream-check.js';

/** Credentials as a request presents them. */
export interface ReceivedCredentials {
  /** The scheme, in any case of letters: `Basic`, `login`, or an extractor's own. */
  readonly scheme: string;
  readonly credentials: Credentials;
  /** The client's address, for counting attempts; `undefined` when they are not counted by address. */
  readonly address: string | undefined;
  /** The `Authorization` header that was read already, and its digest. */
  readonly header?: AuthorizationLine | undefined;
  /** Reports that the client has disconnected; `undefined` where that is not known. */
  readonly onDisconnect?: OnLeave | undefined;
}

/** Valid credentials, with the keys that every link of the chain uses. */
export interface PresentedCredentials {
  /** For audit events and counters: everything but the secret. */
  readonly by: Attempted;
  readonly credentials: Credentials;
  readonly purpose: Purpose;
  /**
   * Digest of username and secret. The digest belongs to one instance, and so to one dialect and base URL. In a shared store
   * they are part of the name.
   */
  readonly key: string;
  /** {@link key} with purpose and scheme. Two checks with the same one are the same check. */
  readonly checkKey: string;
  /** The username or the secret is empty: rejected without a call of the upstream, and counted. */
  readonly isEmpty: boolean;
  /** Cached credentials are checked again: this costs no attempt, and has separate places. */
  readonly isRenewal: boolean;
  /** Reports that the client of this request has disconnected. */
  readonly onDisconnect?: OnLeave | undefined;
  /** All callers who wait for this check. Set once they share a flight. */
  readonly callers?: Callers | undefined;
  /**
   * Throws `overloaded` or {@link ReservationsOpen} if the upstream may not be called now for this network. Called once the attempt
   * is reserved, so that a caller who is locked out does not use up what the network may do.
   *
   * @param isTrusted whether the user was authenticated from this address recently; called only where that decides
   */
  readonly admit?: ((isTrusted: () => Promise<boolean>) => Promise<void>) | undefined;
}

/** The result of a check. Instants are on the monotonic clock. */
export interface Verified {
  readonly principal: Principal;
  readonly grant: Grant;
  /** Position in the order of revocations before the upstream was called. */
  readonly mark: RevocationPosition;
  readonly askedAt: number;
  /** By how many ms the wall clock was ahead of the monotonic one when the upstream was called. */
  readonly wallAheadMs: number;
  readonly answeredAt: number;
  /** Lifetime of the grant in ms from `answeredAt`; `undefined` when the upstream does not state one. */
  readonly lifeMs: number | undefined;
}

/** One link of the inbound chain. It knows the next link only. */
export interface Authenticator {
  /** Rejects with `XPayAuthError`: `invalid_credentials`, `too_many_attempts`, or a failure that is not the caller's. */
  authenticate(presented: PresentedCredentials): Promise<Verified>;
}

/** Thrown when a limit is reached only by checks that are still under way. The caller waits until one of them is over. */
export class ReservationsOpen extends Error {
  constructor() {
    super('a limit is reached by checks that are under way');
  }
}

/** Reports a rejection to the auditor, and returns it. */
export function rejection(
  audit: AuditSink,
  { by }: PresentedCredentials,
  reason: string,
  { reference }: Pick<XPayAuthError, 'reference'> = {},
): XPayAuthError {
  audit({ type: 'refused', ...by, reason, reference });
  return new XPayAuthError('invalid_credentials', `The credentials were refused: ${reason}`, { reference });
}

export function isRejection(failure: unknown): boolean {
  return failure instanceof XPayAuthError && failure.code === 'invalid_credentials';
}
