import { LRUCache } from 'lru-cache';
import { SingleFlight } from '../async/promises.js';
import type { AuditSink } from '../core/audit-events.js';
import type { Clock } from '../core/clock.js';
import type { Instrumentation } from '../core/instrumentation.js';
import type { Authenticator, PresentedCredentials, Verified } from './presented-credentials.js';
import { isRejection, rejection } from './rejection.js';

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

/** Rejected credentials that are kept at once; the least recent make room, and are checked again. */
const MOST_REJECTED = 1_000;

/**
 * Second link: rejects what was rejected a moment ago, and joins a check of the same credentials that is under way. Apart
 * from the credential cache, so that garbage evicts garbage only. Unknown users and wrong secrets take the same path.
 */
export class NegativeCache implements Authenticator {
  /** On the monotonic clock, by the key of the check. */
  readonly #rejectedAt = new LRUCache<string, number>({ max: MOST_REJECTED });
  readonly #flights: SingleFlight<Verified>;

  constructor(private readonly parts: NegativeCacheParts) {
    const { instrumentation } = parts;
    this.#flights = new SingleFlight(() => instrumentation.record({ type: 'joined', flight: 'verification' }));
  }

  async authenticate(presented: PresentedCredentials): Promise<Verified> {
    const { clock, policy, audit } = this.parts;
    const { checkKey } = presented;
    const rejectedAt = this.#rejectedAt.get(checkKey) ?? -Infinity;
    if (clock.monotonic() - rejectedAt < policy.refusedPeriodMs) {
      throw rejection(audit, presented, 'refused a moment ago');
    }
    return this.#flights.run(checkKey, () => this.#check(presented));
  }

  /** Records a rejection before the flight ends, so that no caller finds neither of them. */
  async #check(presented: PresentedCredentials): Promise<Verified> {
    try {
      return await this.parts.next.authenticate(presented);
    } catch (failure) {
      if (isRejection(failure)) this.#rejectedAt.set(presented.checkKey, this.parts.clock.monotonic());
      throw failure;
    }
  }
}
