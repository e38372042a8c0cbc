import { LRUCache } from 'lru-cache';
import { SingleFlight } from '../async/promises.js';
import type { Attempted, AuditSink } from '../core/audit-events.js';
import type { Clock } from '../core/clock.js';
import { callerText, flawOf, type KeyedDigest } from '../core/credentials.js';
import { XPayAuthError } from '../core/errors.js';
import type { Instrumentation } from '../core/instrumentation.js';
import type { Purpose } from '../core/ports.js';
import type { Principal } from '../core/principal.js';
import { networkOf } from '../rate-limit/client-address.js';
import { type CachedCaller, CredentialCache, type CredentialCacheParts } from './credential-cache.js';
import type { GrantedToken } from './kept-token.js';
import { FairQueue, type FairQueueParts } from './fair-queue.js';
import {
  type Authenticator,
  type PresentedCredentials,
  type ReceivedCredentials,
  type Verified,
  isIndividual,
  isRejection,
  rejection,
} from './presented-credentials.js';
import { UpstreamCheck, type UpstreamCheckParts, type VerificationFailure } from './upstream-check.js';

interface NegativeCacheParts {
  readonly clock: Clock;
  readonly policy: {
    /** Ms after a rejection during which the same credentials are rejected without a call of the upstream. */
    readonly refusedPeriodMs: number;
  };
  readonly audit: AuditSink;
  readonly instrumentation: Instrumentation;
  readonly next: Authenticator;
}

/** The parts of all links. */
export type CredentialVerifierParts = Omit<
  CredentialCacheParts & NegativeCacheParts & FairQueueParts & UpstreamCheckParts,
  'hasRoomForRenewal' | 'next' | 'onUndecided'
> & {
  readonly digest: KeyedDigest;
  readonly audit: AuditSink;
  readonly instrumentation: Instrumentation;
  /** Called with each failure of the upstream. After a failure, the caller is neither accepted nor rejected. */
  readonly onFailure?: ((failure: XPayAuthError) => void) | undefined;
};

/**
 * Authenticates callers through a chain of links: credential cache → negative cache and single flight → fair queue → upstream
 * check under the limits on attempts. Builds the chain, rejects malformed credentials, and computes the keys of the credentials
 * once.
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

  /** The last failure of a check. `undefined` if the upstream has accepted or rejected credentials since. */
  get failure(): VerificationFailure | undefined {
    return this.#upstream.failure;
  }

  /** The number of checks that wait for a place at the upstream. */
  get waiting(): number {
    return this.#queue.waiting;
  }

  /** Number of times that a cached caller was authenticated without a call of the upstream. */
  get hits(): number {
    return this.#cache.hits;
  }

  /** Returns a cached caller. `key` is the digest of the header. Call {@link renew} if `renewFrom` of the caller has passed. */
  recall(key: string, now: number): CachedCaller | undefined {
    return this.#cache.recall(key, now);
  }

  /** Checks a cached caller again in the background. */
  renew(caller: CachedCaller, received: ReceivedCredentials): void {
    this.#cache.renew(caller, this.#present(received, 'verification'));
  }

  /** Returns the principal of these credentials, from the cache or from the upstream. Does not look up the digest of `header`. */
  async verify(received: ReceivedCredentials): Promise<Principal> {
    const operation = { type: 'verify', scheme: received.scheme } as const;
    let presented: PresentedCredentials;
    try {
      presented = this.#present(received, 'verification');
    } catch (unusable) {
      return this.parts.instrumentation.observe(operation, () => Promise.reject(unusable as XPayAuthError));
    }
    // The code that calls this method has already looked up the digest of the header.
    const isLookedUp = presented.key === received.header?.digest;
    const cached = isLookedUp ? undefined : this.#cache.authenticated(presented);
    return cached ?? this.parts.instrumentation.observe(operation, () => this.#cache.verify(presented));
  }

  /** Returns the principal and the grant of the upstream for a login. Never uses the cache. */
  async login(received: ReceivedCredentials): Promise<Verified> {
    return this.#cache.login(this.#present(received, 'login'));
  }

  /** Returns the kept token of these cached credentials. */
  keptToken(key: string): GrantedToken | undefined {
    return this.#cache.keptToken(key);
  }

  /** Deletes the cached credentials of a user. `username` is the name that the upstream reported. */
  forgetUser(username: string): void {
    this.#cache.forgetUser(username);
  }

  forgetAll(): void {
    this.#cache.forgetAll();
  }

  /** Ends all checks in progress and all checks that wait. */
  stop(): void {
    this.#queue.stop();
    this.#upstream.stop();
  }

  /** Throws `invalid_request` for malformed credentials, which are never sent to an upstream, and emits an audit event. */
  refuseMalformed({ scheme, credentials, address }: ReceivedCredentials): void {
    const flaw = flawOf(credentials);
    if (flaw === undefined || flaw === 'empty') return;
    const reason = `unusable credentials: ${flaw}`;
    // The event has no username, because the username may be a secret in the wrong field.
    this.parts.audit({ type: 'refused', scheme, address, username: undefined, reason, reference: undefined });
    throw new XPayAuthError('invalid_request', `The request contains ${reason}`);
  }

  /** Returns the credentials with their keys. Throws `invalid_request` for malformed credentials. */
  #present(received: ReceivedCredentials, purpose: Purpose): PresentedCredentials {
    const { scheme, credentials, address, header, onDisconnect } = received;
    this.refuseMalformed(received);
    const text = callerText(credentials);
    const key = header?.text === text ? header.digest : this.parts.digest.of(text);
    return {
      by: { scheme, username: credentials.username, address },
      credentials,
      purpose,
      key,
      // The key is unambiguous, because the digest at its end has a fixed length.
      checkKey: `${scheme.toLowerCase()}_${purpose} ${key}`,
      isEmpty: credentials.username === '' || credentials.secretKey === '',
      isRenewal: false,
      onDisconnect,
    };
  }
}

/**
 * Maximum number of rejected credentials that are kept. Beyond the maximum, the least recently used ones are evicted, and are
 * checked again when they are presented.
 */
const MOST_REJECTED = 1_000;

/**
 * Second link: rejects credentials that were rejected recently, and joins the check of the same credentials that is in progress.
 * It is separate from the credential cache, so that rejected credentials cannot evict accepted ones.
 */
class NegativeCache implements Authenticator {
  /** Time of the last rejection on the monotonic clock, by {@link PresentedCredentials.checkKey}. */
  readonly #rejectedAt = new LRUCache<string, number>({ max: MOST_REJECTED });
  readonly #flights: SingleFlight<Verified>;
  /**
   * The network of the caller whose check failed with an individual failure. The key is the failure, which all callers of the same
   * check receive.
   */
  readonly #refusedNetworks = new WeakMap<Error, string>();

  constructor(private readonly parts: NegativeCacheParts) {
    const { instrumentation } = parts;
    this.#flights = new SingleFlight(() => instrumentation.record({ type: 'joined', flight: 'verification' }));
  }

  async authenticate(presented: PresentedCredentials): Promise<Verified> {
    const { clock, policy, audit } = this.parts;
    const { by, checkKey } = presented;
    const rejectedAt = this.#rejectedAt.get(checkKey) ?? -Infinity;
    if (clock.monotonic() - rejectedAt < policy.refusedPeriodMs) {
      throw rejection(audit, presented, 'rejected a moment ago');
    }
    // A renewal continues after its client has disconnected.
    const onLeave = presented.isRenewal ? undefined : presented.onDisconnect;
    const join = (key: string): Promise<Verified> =>
      this.#flights.run(key, (callers) => this.#check({ ...presented, callers }), onLeave);
    try {
      return await join(checkKey);
    } catch (failure) {
      const refused = this.#refusedNetworks.get(failure as Error);
      const network = networkKeyOf(by);
      if (refused === undefined || refused === network) throw failure;
      // The caller who began the check has another address, so the failure does not apply to this caller.
      return join(`${checkKey} ${network}`);
    }
  }

  /** Records a rejection before the check ends, so that a later caller finds either the check in progress or the rejection. */
  async #check(presented: PresentedCredentials): Promise<Verified> {
    try {
      return await this.parts.next.authenticate(presented);
    } catch (failure) {
      if (isRejection(failure)) this.#rejectedAt.set(presented.checkKey, this.parts.clock.monotonic());
      else if (isIndividual(failure)) this.#refusedNetworks.set(failure, networkKeyOf(presented.by));
      throw failure;
    }
  }
}

function networkKeyOf({ address }: Attempted): string {
  return address === undefined ? '' : networkOf(address);
}
