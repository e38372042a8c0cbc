import type { AuditSink } from '../core/audit-events.js';
import { callerText, flawOf, type KeyedDigest } from '../core/credentials.js';
import { XPayAuthError } from '../core/errors.js';
import type { Instrumentation } from '../core/instrumentation.js';
import type { Purpose } from '../core/ports.js';
import type { Principal } from '../core/principal.js';
import { type CachedCaller, CredentialCache, type CredentialCacheParts } from './credential-cache.js';
import { FairQueue, type FairQueueParts } from './fair-queue.js';
import { NegativeCache, type NegativeCacheParts } from './negative-cache.js';
import type { PresentedCredentials, ReceivedCredentials, Verified } from './presented-credentials.js';
import { UpstreamCheck, type UpstreamCheckParts, type VerificationFailure } from './upstream-check.js';

/** The parts of all links. */
export type CredentialVerifierParts = Omit<
  CredentialCacheParts & NegativeCacheParts & FairQueueParts & UpstreamCheckParts,
  'hasRoomForRenewal' | 'next' | 'onUndecided'
> & {
  readonly digest: KeyedDigest;
  readonly audit: AuditSink;
  readonly instrumentation: Instrumentation;
  /** Receives each failure of the upstream, which neither accepted nor rejected a caller. */
  readonly onFailure?: ((failure: XPayAuthError) => void) | undefined;
};

/**
 * Authenticates callers through a chain of links: credential cache → negative cache and single flight → fair queue →
 * upstream check under the limits on attempts. Builds the chain, refuses malformed credentials, and computes their keys once.
 */
export class CredentialVerifier {
  readonly #cache: CredentialCache;
  readonly #queue: FairQueue;
  readonly #upstream: UpstreamCheck;

  constructor(private readonly parts: CredentialVerifierParts) {
    const onUndecided = (failure: XPayAuthError, presented: PresentedCredentials): void => {
      if (failure.trouble !== 'upstream') return;
      parts.onFailure?.(failure);
      if (!presented.isRenewal) queue.undecided(presented.by.address);
    };
    const upstream = (this.#upstream = new UpstreamCheck({ ...parts, onUndecided }));
    const queue = (this.#queue = new FairQueue({ ...parts, next: upstream }));
    const negativeCache = new NegativeCache({ ...parts, next: queue });
    this.#cache = new CredentialCache({
      ...parts,
      hasRoomForRenewal: (isUrgent) => queue.hasRoomForRenewal(isUrgent),
      next: negativeCache,
    });
  }

  /** The last failure of the upstream check; `undefined` when the upstream accepted or rejected since. */
  get failure(): VerificationFailure | undefined {
    return this.#upstream.failure;
  }

  /** The number of checks that wait for a place at the upstream. */
  get waiting(): number {
    return this.#queue.waiting;
  }

  /** How often a cached caller was authenticated without a call of the upstream. */
  get hits(): number {
    return this.#cache.hits;
  }

  /** Returns a cached caller, by the digest of the header. Call {@link renew} from `renewFrom` on. */
  recall(key: string, now: number): CachedCaller | undefined {
    return this.#cache.recall(key, now);
  }

  /** Checks a cached caller again in the background. */
  renew(caller: CachedCaller, received: ReceivedCredentials): void {
    this.#cache.renew(caller, this.#present(received, 'verification'));
  }

  /** Returns the principal of these credentials, from the cache or from the upstream. Looks up `header` no second time. */
  async verify(received: ReceivedCredentials): Promise<Principal> {
    const operation = { type: 'verify', scheme: received.scheme } as const;
    let presented: PresentedCredentials;
    try {
      presented = this.#present(received, 'verification');
    } catch (unusable) {
      return this.parts.instrumentation.observe(operation, () => Promise.reject(unusable as XPayAuthError));
    }
    // The caller of this method has looked up the header already.
    const isLookedUp = presented.key === received.header?.digest;
    const cached = isLookedUp ? undefined : this.#cache.authenticated(presented);
    return cached ?? this.parts.instrumentation.observe(operation, () => this.#cache.verify(presented));
  }

  /** Returns the principal and the grant of the upstream, for a login: never from the cache. */
  async login(received: ReceivedCredentials): Promise<Verified> {
    return this.#cache.authenticate(this.#present(received, 'login'));
  }

  /** Drops the cached credentials of this user, by the upstream's name for them. */
  forgetUser(username: string): void {
    this.#cache.forgetUser(username);
  }

  forgetAll(): void {
    this.#cache.forgetAll();
  }

  /** Ends every check under way, and refuses those that wait. */
  stop(): void {
    this.#queue.stop();
    this.#upstream.stop();
  }

  /** Throws `invalid_request` for credentials that no upstream would be called with. */
  #present(received: ReceivedCredentials, purpose: Purpose): PresentedCredentials {
    const { scheme, credentials, address, header, onDisconnect } = received;
    const flaw = flawOf(credentials);
    if (flaw !== undefined && flaw !== 'empty') {
      const reason = `unusable credentials: ${flaw}`;
      // Without the username, which may be a secret in the wrong field.
      this.parts.audit({ type: 'refused', scheme, address, username: undefined, reason, reference: undefined });
      throw new XPayAuthError('invalid_request', `The request holds ${reason}`);
    }
    const text = callerText(credentials);
    const key = header?.text === text ? header.digest : this.parts.digest.of(text);
    return {
      by: { scheme, username: credentials.username, address },
      credentials,
      purpose,
      key,
      // Unambiguous: the digest at its end has a fixed length.
      checkKey: `${scheme.toLowerCase()}_${purpose} ${key}`,
      isEmpty: flaw === 'empty',
      isRenewal: false,
      onDisconnect,
    };
  }
}
