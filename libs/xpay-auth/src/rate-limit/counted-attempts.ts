import type { Attempted, AuditSink } from '../core/audit-events.js';
import { lengthPrefixed } from '../core/cache-key.js';
import { XPayAuthError } from '../core/errors.js';
import type { AttemptLimits, Attempts, ReservedAttempt } from './attempts.js';
import { TrustedAddresses, type TrustedAddressesParts, UNKNOWN_ADDRESS, networkOf } from './client-address.js';
import { foldedUsername } from './folded-username.js';
import { Limiter, type LimiterParts, type Reservation } from './limiter.js';

export interface CountedAttemptsParts extends LimiterParts {
  readonly limits: AttemptLimits;
  /** Digests the keys of the counters; the same on all instances that count together. */
  readonly digest: { of(text: string): string };
  readonly audit: AuditSink;
  readonly checkStore?: TrustedAddressesParts['checkStore'];
}

/** Digests for one caller. */
type Keys = {
  readonly user: string;
  /**
   * The pair of user and address that a success makes trusted. It has the exact username, because an account of a similar
   * spelling is another one. The unknown address is never trusted: anyone who resets a connection has it.
   */
  readonly origin?: string | undefined;
} & ({ readonly address: string; readonly both: string } | { readonly address?: undefined; readonly both?: undefined });

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
    const { limits } = parts;
    this.#perAddress = new Limiter('perAddress', limits.perAddress, parts);
    this.#perUserAndAddress = new Limiter('perUserAndAddress', limits.perUserAndAddress, parts);
    this.#perUser = new Limiter('perUser', limits.perUser, parts);
    this.#trusted = new TrustedAddresses(parts);
  }

  refuseLockedOut(by: Attempted): void {
    this.#refuseLockedOut(by, this.#keysOf(by));
  }

  async reserve(by: Attempted): Promise<ReservedAttempt | undefined> {
    const keys = this.#keysOf(by);
    // Before anything is counted: a caller who is known to be locked out costs no count.
    this.#refuseLockedOut(by, keys);
    if (this.#perUser.lockedOutMs(keys.user) > 0 && !(await this.#passes(by, this.#perUser, keys.user, keys)))
      return undefined;
    const reserved: Reservation[] = [];
    const attempt = this.#attempt(keys, reserved);
    try {
      // The address first: one that is locked out touches no other counter, neither a user's budget nor the room for keys.
      for (const [limiter, key] of this.#limitersOf(keys)) {
        const one = await limiter.reserve(key);
        if (one !== undefined) reserved.push(one);
        else if (!(await this.#passes(by, limiter, key, keys))) {
          await attempt.refund();
          return undefined;
        }
      }
    } catch (thrown) {
      await attempt.refund();
      throw thrown;
    }
    return attempt;
  }

  reserveEmpty(by: Attempted): ReservedAttempt {
    const keys = this.#keysOf(by);
    this.#refuseLockedOut(by, keys);
    const limiters = keys.address === undefined ? [] : this.#limitersOf(keys);
    const reserved = limiters.map(([limiter, key]) => limiter.reserveAlone(key));
    return this.#attempt({ address: keys.address }, reserved);
  }

  free(by: Attempted): ReservedAttempt {
    return this.#attempt({ origin: this.#keysOf(by).origin }, []);
  }

  storeLostData(): () => Promise<void> {
    return this.#trusted.storeLostData();
  }

  /** @param reserved reservations to settle; the one of the address comes first, if there is an address */
  #attempt({ address, origin }: Pick<Keys, 'address' | 'origin'>, reserved: readonly Reservation[]): ReservedAttempt {
    const refund = async (): Promise<void> => {
      await Promise.all(reserved.map((one) => one.refund()));
    };
    return {
      succeeded: () => {
        if (origin !== undefined) this.#trusted.add(origin);
        return refund();
      },
      failed: async () => {
        await Promise.all(reserved.map((one) => one.failed()));
      },
      refund,
      refundAddress: async () => {
        await Promise.all(reserved.map((one, i) => (i === 0 && address !== undefined ? one.refund() : one.failed())));
      },
      isFromTrustedAddress: async () => (await this.#trusted.has(origin).catch(() => false)) === true,
    };
  }

  /** Judges by what this process knows. When only the store knows whether the address is trusted, it is not refused here. */
  #refuseLockedOut(by: Attempted, keys: Keys): void {
    for (const [limiter, key] of this.#limitersOf(keys)) {
      const waitMs = limiter.lockedOutMs(key);
      if (waitMs === 0 || (limiter === this.#perUser && this.#trusted.known(keys.origin) !== false)) continue;
      throw this.#lockedOut(by, limiter.name, waitMs);
    }
  }

  /** Whether a caller may go on although this limit is reached; otherwise it waits. Throws when failures have used up the limit. */
  async #passes(by: Attempted, limiter: Limiter, key: string, { origin }: Keys): Promise<boolean> {
    const isTrusted = limiter === this.#perUser ? await this.#trusted.has(origin) : false;
    const waitMs = limiter.lockedOutMs(key);
    if (isTrusted === false && waitMs > 0) throw this.#lockedOut(by, limiter.name, waitMs);
    return isTrusted === true;
  }

  #limitersOf(keys: Keys): (readonly [Limiter, string])[] {
    const { user } = keys;
    if (keys.address === undefined) return [[this.#perUser, user]];
    return [
      [this.#perAddress, keys.address],
      [this.#perUserAndAddress, keys.both],
      [this.#perUser, user],
    ];
  }

  #keysOf({ address: from, username }: Attempted): Keys {
    const { digest } = this.parts;
    const user = digest.of(lengthPrefixed(['user', foldedUsername(username)]));
    if (from === undefined) return { user };
    const address = digest.of(lengthPrefixed(['from', networkOf(from)]));
    const both = digest.of(lengthPrefixed([user, address]));
    if (from === UNKNOWN_ADDRESS) return { user, address, both };
    return { user, address, both, origin: digest.of(lengthPrefixed(['came', username, address])) };
  }

  #lockedOut(by: Attempted, limit: string, retryAfterMs: number): XPayAuthError {
    this.parts.audit({ type: 'locked-out', ...by, limit });
    return new XPayAuthError('too_many_attempts', `Too many failed attempts (attempts.${limit})`, { retryAfterMs });
  }
}
