import type { Attempted, AuditSink } from '../core/audit-events.js';
import { lengthPrefixed } from '../core/cache-key.js';
import { XPayAuthError } from '../core/errors.js';
import { TrustedAddresses, UNKNOWN_ADDRESS, networkOf } from './client-address.js';
import { type Limit, Limiter, type LimiterParts, type Spent } from './limiter.js';

export type { Limit } from './limiter.js';

/** The option `attempts`: how many failures each counter takes. */
export interface AttemptLimits {
  /** For one username from one address. */
  readonly perUserAndAddress: Limit;
  /** From one address, for any usernames. */
  readonly perAddress: Limit;
  /** For one username, from any address. */
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
  /** Whether this user was authenticated from this address recently; `false` where that is unknown. */
  isFromTrustedAddress(): Promise<boolean>;
}

/** Counts failures by reserving an attempt before the upstream is called: counting afterwards lets parallel guesses through. */
export interface Attempts {
  /** Throws `too_many_attempts`; `store_unavailable` where only the store could decide. */
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
  /** Digests the keys of the counters; the same on all instances that count together. */
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
    const { address, origin } = this.#keysOf(by);
    const user = digest.of(lengthPrefixed(['user', foldedUsername(by.username)]));
    const both = address === undefined ? undefined : digest.of(lengthPrefixed([user, address]));
    const spent: Spent[] = [];
    const attempt = this.#attempt(origin, spent, address);
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
        await attempt.refund();
        throw thrown;
      }
    }
    return attempt;
  }

  free(by: Attempted): ReservedAttempt {
    return this.#attempt(this.#keysOf(by).origin, []);
  }

  republish(): void {
    this.#trusted.republish();
  }

  /** @param spent what to give back; the count of the address comes first, if there is one */
  #attempt(origin: string | undefined, spent: readonly Spent[], address?: string): ReservedAttempt {
    const refund = async (): Promise<void> => {
      await Promise.all(spent.map((one) => one.refund()));
    };
    return {
      succeeded: () => {
        if (origin !== undefined) this.#trusted.add(origin);
        return refund();
      },
      refund,
      refundAddress: async () => (address === undefined ? undefined : spent[0]?.refund()),
      isFromTrustedAddress: async () => origin !== undefined && this.#trusted.has(origin).catch(() => false),
    };
  }

  /**
   * Returns the key of the address, and that of the pair of user and address that a success makes trusted. The pair has the
   * exact username, because an account of a similar spelling is another one. The unknown address is never trusted: anyone
   * who resets a connection has it.
   */
  #keysOf({ address: from, username }: Attempted): { readonly address?: string; readonly origin?: string } {
    if (from === undefined) return {};
    const { digest } = this.parts;
    const address = digest.of(lengthPrefixed(['from', networkOf(from)]));
    return from === UNKNOWN_ADDRESS
      ? { address }
      : { address, origin: digest.of(lengthPrefixed(['came', username, address])) };
  }

  #lockedOut(by: Attempted, limit: string, retryAfterMs: number): XPayAuthError {
    this.parts.audit({ type: 'locked-out', ...by, limit });
    return new XPayAuthError('too_many_attempts', `Too many failed attempts (attempts.${limit})`, { retryAfterMs });
  }
}

/**
 * Returns the username without the differences that an upstream may ignore: case, width, accents, invisible characters, outer
 * spaces. For keys of counters and cooldowns only. The upstream receives the username unchanged.
 */
export function foldedUsername(username: string): string {
  return username
    .normalize('NFKD')
    .replace(/[\p{M}\p{Cf}]/gu, '')
    .trim()
    .toLowerCase();
}
