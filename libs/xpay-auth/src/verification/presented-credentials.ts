import type { Attempted } from '../core/audit-events.js';
import type { Credentials } from '../core/credentials.js';
import type { Grant, Purpose } from '../core/ports.js';
import type { Principal } from '../core/principal.js';
import type { RevocationPosition } from './revocations.js';

/** Credentials as a request brings them. */
export interface ReceivedCredentials {
  /** By which they were presented, in any case of letters: `Basic`, `login`, or an extractor's own. */
  readonly scheme: string;
  readonly credentials: Credentials;
  /** The client's address, for counting attempts by it; `undefined` when they are not counted by address. */
  readonly address: string | undefined;
  /** The `Authorization` header that was read already, and its digest. */
  readonly header?: { readonly text: string; readonly digest: string } | undefined;
}

/** Credentials without a flaw, with the keys by which every link of the chain knows them. */
export interface PresentedCredentials {
  /** What an auditor and the counters may know: everything but the secret. */
  readonly by: Attempted;
  readonly credentials: Credentials;
  readonly purpose: Purpose;
  /**
   * Digest of user name and secret. The key of the digest is random and belongs to one instance, so to one dialect and base
   * URL; the name in a shared store has them in its text.
   */
  readonly key: string;
  /** {@link key} with purpose and scheme: what makes two checks the same check. */
  readonly checkKey: string;
  /** The user name or the secret is empty: rejected without a call of the upstream, and counted. */
  readonly isEmpty: boolean;
  /** Cached credentials are checked again: costs no attempt, and strangers cannot take all the places. */
  readonly isRenewal: boolean;
}

/** What a check brings. Instants are on the monotonic clock. */
export interface Verified {
  readonly principal: Principal;
  readonly grant: Grant;
  /** When in the order of revocations the upstream was called. */
  readonly mark: RevocationPosition;
  readonly askedAt: number;
  /** By how many ms the wall clock was ahead of the monotonic one when the upstream was called. */
  readonly wallAheadMs: number;
  readonly answeredAt: number;
  /** Ms from `answeredAt` for which the upstream vouches; `undefined` when it does not say. */
  readonly lifeMs: number | undefined;
}

/** One link of the inbound chain. It knows the next link only. */
export interface Authenticator {
  /** Rejects with `XPayAuthError`: `invalid_credentials`, `too_many_attempts`, or a failure that is not the caller's. */
  authenticate(presented: PresentedCredentials): Promise<Verified>;
}
