import { lengthPrefixed } from '../core/cache-key.js';
import type { Clock } from '../core/clock.js';
import { XPayAuthError } from '../core/errors.js';
import type { Store } from '../core/store.js';
import type { Attempted, AuditSink } from '../core/audit-events.js';
import { BoundedLimiter, type Limit, type Limiter, type Spent } from './memory-limiter.js';
import { foldedUsername } from './folded-username.js';
import { UNKNOWN_ADDRESS, networkOf } from './network.js';
import { SharedLimiter } from './shared-limiter.js';
import { TrustedAddresses } from './trusted-addresses.js';

export type { Limit } from './memory-limiter.js';

/** The option `attempts`: how many failures each counter takes. */
export interface AttemptLimits {
  /** Of one user name from one address. */
  readonly perUserAndAddress: Limit;
  /** From one address, whatever the names. */
  readonly perAddress: Limit;
  /** Of one user name, from wherever. */
  readonly perUser: Limit;
}

/** One reserved attempt: it stays counted unless one of these is called. */
export interface ReservedAttempt {
  /** The credentials were right. */
  succeeded(): Promise<void>;
  /** The upstream could not say, or the same refusal has been counted already. */
  undecided(): Promise<void>;
  /** Whether this very user was authenticated from this address lately; `false` where neither we nor the store can tell. */
  isFromTrustedAddress(): Promise<boolean>;
}

/** Counts failures by reserving an attempt before the upstream is asked: counting afterwards lets a crowd through. */
export interface Attempts {
  /** Throws `too_many_attempts`; `store_unavailable` when that hangs on what the store alone knows. */
  reserve(by: Attempted): Promise<ReservedAttempt>;
  /** Costs nothing: of a caller who was let in a moment ago. */
  free(by: Attempted): ReservedAttempt;
  /** The store may have lost what it was told. */
  republish(): void;
}

const uncounted: ReservedAttempt = {
  succeeded: () => Promise.resolve(),
  undecided: () => Promise.resolve(),
  isFromTrustedAddress: () => Promise.resolve(false),
};

/** Counts nothing: `attempts: false`. */
export const unlimitedAttempts: Attempts = {
  reserve: () => Promise.resolve(uncounted),
  free: () => uncounted,
  republish: () => undefined,
};

export interface CountedAttemptsParts {
  readonly limits: AttemptLimits;
  readonly clock: Clock;
  /** Names of what is counted; the same on all instances where they count together. */
  readonly digest: { of(text: string): string };
  readonly audit: AuditSink;
  /** Where all instances count together. */
  readonly store?: Store | undefined;
}

/**
 * Three counters (OWASP ASVS 5.0 6.3.1, NIST SP 800-63B-4 §3.2.2): by address, by user and address, by user. When only
 * the user's own budget is spent, an address from which that user came in lately may still try, so that a stranger
 * cannot lock the owner out.
 */
export class CountedAttempts implements Attempts {
  readonly #perAddress: Limiter;
  readonly #perUserAndAddress: Limiter;
  readonly #perUser: Limiter;
  readonly #welcome: TrustedAddresses;

  constructor(private readonly parts: CountedAttemptsParts) {
    const { perAddress, perUserAndAddress, perUser } = parts.limits;
    this.#perAddress = limiterOf('perAddress', perAddress, parts.store);
    this.#perUserAndAddress = limiterOf('perUserAndAddress', perUserAndAddress, parts.store);
    this.#perUser = limiterOf('perUser', perUser, parts.store);
    this.#welcome = new TrustedAddresses(parts.clock, parts.store);
  }

  async reserve(by: Attempted): Promise<ReservedAttempt> {
    const { digest } = this.parts;
    const user = digest.of(lengthPrefixed(['user', foldedUsername(by.username)]));
    const address = this.#addressOf(by);
    const both = address === undefined ? undefined : digest.of(lengthPrefixed([user, address]));
    const came = this.#cameFrom(by, address);
    const spent: Spent[] = [];
    const refund = async (): Promise<void> => {
      await Promise.all(spent.map((one) => one.refund()));
    };
    // The address first: one that is locked out touches no other counter, neither a user's budget nor the room for keys.
    for (const [limiter, key] of [
      [this.#perAddress, address],
      [this.#perUserAndAddress, both],
      [this.#perUser, user],
    ] as const) {
      if (key === undefined) continue;
      const one = await limiter.spend(key);
      spent.push(one);
      if (one.waitMs === 0) continue;
      try {
        if (limiter === this.#perUser && came !== undefined && (await this.#welcome.has(came))) continue;
        throw this.#lockedOut(by, limiter.name, one.waitMs);
      } catch (thrown) {
        await refund();
        throw thrown;
      }
    }
    return {
      succeeded: () => {
        if (came !== undefined) this.#welcome.add(came);
        return refund();
      },
      undecided: refund,
      isFromTrustedAddress: () => this.#isTrusted(came),
    };
  }

  free(by: Attempted): ReservedAttempt {
    return {
      succeeded: () => {
        const came = this.#cameFrom(by);
        if (came !== undefined) this.#welcome.add(came);
        return Promise.resolve();
      },
      undecided: () => Promise.resolve(),
      isFromTrustedAddress: () => this.#isTrusted(this.#cameFrom(by)),
    };
  }

  republish(): void {
    this.#welcome.republish();
  }

  #addressOf({ address }: Attempted): string | undefined {
    return address === undefined ? undefined : this.parts.digest.of(lengthPrefixed(['from', networkOf(address)]));
  }

  /**
   * The very name: whoever has an account of a like spelling is a stranger to this one. The unknown address is never a
   * trusted one: anyone who resets a connection has it.
   */
  #cameFrom(by: Attempted, address = this.#addressOf(by)): string | undefined {
    if (by.address === UNKNOWN_ADDRESS) return undefined;
    return address === undefined ? undefined : this.parts.digest.of(lengthPrefixed(['came', by.username, address]));
  }

  #isTrusted(came: string | undefined): Promise<boolean> {
    return came === undefined ? Promise.resolve(false) : this.#welcome.has(came).catch(() => false);
  }

  #lockedOut(by: Attempted, limit: string, retryAfterMs: number): XPayAuthError {
    this.parts.audit({ type: 'locked-out', ...by, limit });
    return new XPayAuthError('too_many_attempts', `Too many failed attempts (attempts.${limit})`, { retryAfterMs });
  }
}

function limiterOf(name: string, limit: Limit, store: Store | undefined): Limiter {
  const here = new BoundedLimiter(name, limit);
  return store === undefined ? here : new SharedLimiter(name, limit, store, here);
}
