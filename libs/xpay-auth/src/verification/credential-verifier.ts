import type { AuditSink } from '../core/audit-events.js';
import { type KeyedDigest, callerText } from '../core/cache-key.js';
import { flawOf } from '../core/credentials.js';
import { XPayAuthError } from '../core/errors.js';
import { Instrumentation } from '../core/instrumentation.js';
import type { Purpose } from '../core/ports.js';
import type { Principal } from '../core/principal.js';
import { AttemptLimit, type AttemptLimitParts } from './attempt-limit.js';
import type { CachedCaller } from './cached-callers.js';
import { CredentialCache, type CredentialCacheParts } from './credential-cache.js';
import { NegativeCache, type NegativeCacheParts } from './negative-cache.js';
import type { PresentedCredentials, ReceivedCredentials, Verified } from './presented-credentials.js';
import { UpstreamCheck, type UpstreamCheckParts, type VerificationFailure } from './upstream-check.js';

/** What the chain is made of. */
export type CredentialVerifierParts = Omit<
  CredentialCacheParts & NegativeCacheParts & AttemptLimitParts & UpstreamCheckParts,
  'instrumentation' | 'hasRoomForRenewal' | 'next'
> & {
  readonly digest: KeyedDigest;
  readonly audit: AuditSink;
  readonly instrumentation?: Instrumentation | undefined;
};

/**
 * Authenticates callers through a chain of links: credential cache → negative cache and single flight → attempt limit →
 * upstream check. The door of the chain: flaws are found and keys are computed here, once.
 */
export class CredentialVerifier {
  readonly #cache: CredentialCache;
  readonly #upstream: UpstreamCheck;
  readonly #instrumentation: Instrumentation;

  constructor(private readonly parts: CredentialVerifierParts) {
    const instrumentation = (this.#instrumentation = parts.instrumentation ?? new Instrumentation());
    const upstream = (this.#upstream = new UpstreamCheck(parts));
    const attemptLimit = new AttemptLimit({ ...parts, next: upstream });
    const negativeCache = new NegativeCache({ ...parts, instrumentation, next: attemptLimit });
    this.#cache = new CredentialCache({
      ...parts,
      instrumentation,
      hasRoomForRenewal: () => upstream.hasRoomFor(true),
      next: negativeCache,
    });
  }

  /** The last failure of the upstream check; `undefined` when the upstream accepted or rejected since. */
  get failure(): VerificationFailure | undefined {
    return this.#upstream.failure;
  }

  /** How often a cached caller was authenticated without a call of the upstream. */
  get hits(): number {
    return this.#cache.hits;
  }

  /** A cached caller, by the digest of the header. From `renewFrom` on {@link renew} is to be called. */
  recall(key: string, now: number): CachedCaller | undefined {
    return this.#cache.recall(key, now);
  }

  /** Checks a cached caller again in the background. */
  renew(caller: CachedCaller, received: ReceivedCredentials): void {
    this.#cache.renew(caller, this.#present(received, 'verification'));
  }

  /** The principal of these credentials, from the cache or by calling the upstream. */
  async verify(received: ReceivedCredentials): Promise<Principal> {
    const operation = { type: 'verify', scheme: received.scheme } as const;
    let presented: PresentedCredentials;
    try {
      presented = this.#present(received, 'verification');
    } catch (unusable) {
      return this.#instrumentation.observe(operation, () => Promise.reject(unusable as XPayAuthError));
    }
    const cached = this.#cache.authenticated(presented);
    return cached ?? this.#instrumentation.observe(operation, () => this.#cache.verify(presented));
  }

  /** The principal and what the upstream grants, for a login: never from the cache. */
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

  /** Ends every check under way. */
  stop(): void {
    this.#upstream.stop();
  }

  /** Throws `invalid_request` for credentials that no upstream would be called with. */
  #present({ scheme, credentials, address, header }: ReceivedCredentials, purpose: Purpose): PresentedCredentials {
    const flaw = flawOf(credentials);
    if (flaw !== undefined && flaw !== 'empty') {
      const reason = `unusable credentials: ${flaw}`;
      // Without the name: it may be the very thing that no log should hold.
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
      // Read from its end, where the digest has a fixed length, it is one key for one check.
      checkKey: `${scheme.toLowerCase()}_${purpose} ${key}`,
      isEmpty: flaw === 'empty',
      isRenewal: false,
    };
  }
}
