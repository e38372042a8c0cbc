import type { Attempted, AuditSink } from '../core/audit-events.js';
import { lengthPrefixed } from '../core/cache-key.js';
import { XPayAuthError } from '../core/errors.js';
import { UNKNOWN_ADDRESS, foldedUsername, networkOf } from './counted-by.js';
import { type Limit, Limiter, type LimiterParts, type Spent } from './limiter.js';
import { TrustedAddresses } from './trusted-addresses.js';

export type { Limit } from './limiter.js';

/** The option `attempts`: how many failures each counter takes. */
export interface AttemptLimits {
  /** Of one user name from one address. */
  readonly perUserAndAddress: Limit;
  /** From one address, whatever the names. */
  readonly perAddress: Limit;
  /** Of one user name, from any address. */
  readonly perUser: Limit;
}

/** One reserved attempt: it stays counted unless one of the first three is called. */
export interface ReservedAttempt {
  /** The credentials were right: gives the attempt back, and trusts the address for this user. */
  succeeded(): Promise<void>;
  /** The upstream did not decide, or the same rejection has been counted already. */
  refund(): Promise<void>;
  /** The upstream answered 429: the attempt stays counted for the user name, and is given back to the address. */
  refundAddress(): Promise<void>;
  /** Whether this very user was authenticated from this address lately; `false` where neither we nor the store can tell. */
  isFromTrustedAddress(): Promise<boolean>;
}

/** Counts failures by reserving an attempt before the upstream is called: counting afterwards lets parallel guesses through. */
export interface Attempts {
  /** Throws `too_many_attempts`; `store_unavailable` when that depends on what the store alone knows. */
  reserve(by: Attempted): Promise<ReservedAttempt>;
  /** Costs nothing: the renewal of a cached caller. */
  free(by: Attempted): ReservedAttempt;
  /** The store may have lost the trusted addresses. */
  republish(): void;
}

const nothing = (): Promise<void> => Promise.resolve();

const uncounted: ReservedAttempt = {
  succeeded: nothing,
  refund: nothing,
  refundAddress: nothing,
  isFromTrustedAddress: () => Promise.resolve(false),
};

/** Counts nothing: `attempts: false`. */
export const unlimitedAttempts: Attempts = {
  reserve: () => Promise.resolve(uncounted),
  free: () => uncounted,
  republish: () => undefined,
};

export interface CountedAttemptsParts extends LimiterParts {
  readonly limits: AttemptLimits;
  /** Names what is counted; the same on all instances where they count together. */
  readonly digest: { of(text: string): string };
  readonly audit: AuditSink;
}

/**
 * Three counters (OWASP ASVS 5.0 6.3.1, NIST SP 800-63B-4 §3.2.2): by address, by user and address, by user. When only the
 * user's own budget is spent, an address from which that user was authenticated lately may still try, so that an attacker
 * cannot lock the owner out.
 */
export class CountedAttempts implements Attempts {
  readonly #perAddress: Limiter;
  readonly #perUserAndAddress: Limiter;
  readonly #perUser: Limiter;
  readonly #trusted: TrustedAddresses;

  constructor(private readonly parts: CountedAttemptsParts) {
    const { limits, clock, store } = parts;
    this.#perAddress = new Limiter('perAddress', limits.perAddress, parts);
    this.#perUserAndAddress = new Limiter('perUserAndAddress', limits.perUserAndAddress, parts);
    this.#perUser = new Limiter('perUser', limits.perUser, parts);
    this.#trusted = new TrustedAddresses(clock, store);
  }

  async reserve(by: Attempted): Promise<ReservedAttempt> {
    const { digest } = this.parts;
    const user = digest.of(lengthPrefixed(['user', foldedUsername(by.username)]));
    const address = this.#addressOf(by);
    const both = address === undefined ? undefined : digest.of(lengthPrefixed([user, address]));
    const origin = this.#originOf(by, address);
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
        if (limiter === this.#perUser && origin !== undefined && (await this.#trusted.has(origin))) continue;
        throw this.#lockedOut(by, limiter.name, one.waitMs);
      } catch (thrown) {
        await refund();
        throw thrown;
      }
    }
    const refundAddress = async (): Promise<void> => {
      if (address !== undefined) await spent[0]?.refund();
    };
    return this.#reserved(origin, refund, refundAddress);
  }

  free(by: Attempted): ReservedAttempt {
    return this.#reserved(this.#originOf(by, this.#addressOf(by)), nothing, nothing);
  }

  republish(): void {
    this.#trusted.republish();
  }

  #reserved(
    origin: string | undefined,
    refund: () => Promise<void>,
    refundAddress: () => Promise<void>,
  ): ReservedAttempt {
    return {
      succeeded: () => {
        if (origin !== undefined) this.#trusted.add(origin);
        return refund();
      },
      refund,
      refundAddress,
      isFromTrustedAddress: async () => origin !== undefined && this.#trusted.has(origin).catch(() => false),
    };
  }

  #addressOf({ address }: Attempted): string | undefined {
    return address === undefined ? undefined : this.parts.digest.of(lengthPrefixed(['from', networkOf(address)]));
  }

  /**
   * The pair of user and address that a success makes trusted. By the exact name: an account of a similar spelling is another
   * one. The unknown address is never trusted: anyone who resets a connection has it.
   */
  #originOf(by: Attempted, address: string | undefined): string | undefined {
    if (address === undefined || by.address === UNKNOWN_ADDRESS) return undefined;
    return this.parts.digest.of(lengthPrefixed(['came', by.username, address]));
  }

  #lockedOut(by: Attempted, limit: string, retryAfterMs: number): XPayAuthError {
    this.parts.audit({ type: 'locked-out', ...by, limit });
    return new XPayAuthError('too_many_attempts', `Too many failed attempts (attempts.${limit})`, { retryAfterMs });
  }
}
