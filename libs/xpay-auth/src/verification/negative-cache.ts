import { LRUCache } from 'lru-cache';
import { SingleFlight } from '../async/promises.js';
import type { Attempted, AuditSink } from '../core/audit-events.js';
import type { Clock } from '../core/clock.js';
import { XPayAuthError } from '../core/errors.js';
import type { Instrumentation } from '../core/instrumentation.js';
import { networkOf } from '../rate-limit/client-address.js';
import {
  type Authenticator,
  type PresentedCredentials,
  type Verified,
  isRejection,
  rejection,
} from './presented-credentials.js';

export interface NegativeCacheParts {
  readonly clock: Clock;
  readonly policy: {
    /** Ms for which rejected credentials are rejected without a call of the upstream. */
    readonly refusedPeriodMs: number;
  };
  readonly audit: AuditSink;
  readonly instrumentation: Instrumentation;
  readonly next: Authenticator;
}

/** Rejected credentials that are kept at once. Beyond it the least recent ones are dropped, and checked again. */
const MOST_REJECTED = 1_000;

/**
 * Second link: rejects credentials that were rejected recently, and joins a check of the same credentials that is under way. It
 * is separate from the credential cache, so that wrong credentials evict no right ones.
 */
export class NegativeCache implements Authenticator {
  /** On the monotonic clock, by {@link PresentedCredentials.checkKey}. */
  readonly #rejectedAt = new LRUCache<string, number>({ max: MOST_REJECTED });
  readonly #flights: SingleFlight<Verified>;
  /** The network of the caller whose address is refused, by the failure that all callers of its flight receive. */
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
    // A renewal goes on without its client.
    const onLeave = presented.isRenewal ? undefined : presented.onDisconnect;
    const join = (key: string): Promise<Verified> =>
      this.#flights.run(key, (callers) => this.#check({ ...presented, callers }), onLeave);
    try {
      return await join(checkKey);
    } catch (failure) {
      const refused = this.#refusedNetworks.get(failure as Error);
      const network = networkKeyOf(by);
      if (refused === undefined || refused === network) throw failure;
      // The caller who began the check has another address, and the failure does not apply to this one.
      return join(`${checkKey} ${network}`);
    }
  }

  /** Records a rejection before the flight ends, so that every caller finds one of them. */
  async #check(presented: PresentedCredentials): Promise<Verified> {
    try {
      return await this.parts.next.authenticate(presented);
    } catch (failure) {
      if (isRejection(failure)) this.#rejectedAt.set(presented.checkKey, this.parts.clock.monotonic());
      else if (isOfAddress(failure)) this.#refusedNetworks.set(failure, networkKeyOf(presented.by));
      throw failure;
    }
  }
}

/** Whether the attempt was refused because of the address, which is locked out or which only the store knows. */
function isOfAddress(failure: unknown): failure is XPayAuthError {
  return failure instanceof XPayAuthError && ['too_many_attempts', 'store_unavailable'].includes(failure.code);
}

function networkKeyOf({ address }: Attempted): string {
  return address === undefined ? '' : networkOf(address);
}
