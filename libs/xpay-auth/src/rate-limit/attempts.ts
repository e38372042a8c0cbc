import type { Attempted, AuditSink } from '../core/audit-events.js';
import { lengthPrefixed } from '../core/credentials.js';
import { XPayAuthError } from '../core/errors.js';
import { AttemptCounter, type Limit, type Reservation } from './attempt-counter.js';
import { TrustedAddresses, type TrustedAddressesParts, UNKNOWN_ADDRESS, networkOf } from './client-address.js';

/** The option `attempts`: how many failures each counter takes. */
export interface AttemptLimits {
  /** For one username from one address. */
  readonly perUserAndAddress: Limit;
  /** From one address, for any usernames. */
  readonly perAddress: Limit;
  /** For one username, from any address. */
  readonly perUser: Limit;
}

/** One reserved attempt. Call one of the first four methods, once. Until then it makes other callers wait. */
export interface ReservedAttempt {
  /** The credentials were right: gives the attempt back, and trusts the address for this user. */
  succeeded(): Promise<void>;
  /** The credentials were rejected: the attempt stays counted, and is known as a failure. */
  failed(): Promise<void>;
  /** The upstream did not decide, or the same rejection has been counted already. */
  refund(): Promise<void>;
  /** The upstream answered 429: the attempt counts as failed for the user name, and is given back to the address. */
  refundAddress(): Promise<void>;
  /** Whether this user was authenticated from this address recently; `false` where that is unknown. */
  isFromTrustedAddress(): Promise<boolean>;
}

/** Counts failures by reserving an attempt before the upstream is called: counting afterwards lets parallel guesses through. */
export interface Attempts {
  /** Throws `too_many_attempts` when this process already knows that failures have used up a limit. Calls no store. */
  refuseLockedOut(by: Attempted): void;
  /**
   * Reserves one attempt. Returns `undefined` when the caller must wait: a limit is reached only because reservations are still
   * open, here or on other instances, or the store has just lost its data, and with it whether the address is trusted.
   * Throws `too_many_attempts` when failures have used up a limit; `store_unavailable` where only the store could decide.
   */
  reserve(by: Attempted): Promise<ReservedAttempt | undefined>;
  /**
   * Reserves one attempt for credentials without a user name or a secret, in this process only, because they cost no call of
   * the upstream. Without an address they are not counted, because the number of names would have no limit. Throws `too_many_attempts`.
   */
  reserveEmpty(by: Attempted): ReservedAttempt;
  /** Costs nothing: the renewal of a cached caller. */
  free(by: Attempted): ReservedAttempt;
  /** The store has lost its data. Returns a function that writes the trusted addresses again; call it until it resolves. */
  storeLostData(): () => Promise<void>;
}

const nothing = (): Promise<void> => Promise.resolve();
const uncounted: ReservedAttempt = {
  succeeded: nothing,
  failed: nothing,
  refund: nothing,
  refundAddress: nothing,
  isFromTrustedAddress: () => Promise.resolve(false),
};

/** Counts nothing: `attempts: false`. */
export const unlimitedAttempts: Attempts = {
  refuseLockedOut: () => undefined,
  reserve: () => Promise.resolve(uncounted),
  reserveEmpty: () => uncounted,
  free: () => uncounted,
  storeLostData: () => nothing,
};

export interface CountedAttemptsParts extends TrustedAddressesParts {
  readonly limits: AttemptLimits;
  /** Digests the keys of the counters; the same on all instances that count together. */
  readonly digest: { of(text: string): string };
  readonly audit: AuditSink;
}

/** What a caller is counted by. */
interface Subject {
  readonly by: Attempted;
  /** The counters with their keys; the one of the user comes last. The others exist only where the address is counted. */
  readonly counters: readonly (readonly [AttemptCounter, string])[];
  /**
   * The pair of user and address that a success makes trusted. It has the exact username, because an account of a similar
   * spelling is another one. The unknown address is never trusted: anyone who resets a connection has it.
   */
  readonly origin: string | undefined;
}

/**
 * Three counters (OWASP ASVS 5.0 6.3.1, NIST SP 800-63B-4 §3.2.2): by address, by user and address, by user. When only the
 * user's own budget is spent, an address from which that user was authenticated lately may still try, so that an attacker
 * cannot lock the owner out.
 */
export class CountedAttempts implements Attempts {
  readonly #perAddress: AttemptCounter;
  readonly #perUserAndAddress: AttemptCounter;
  readonly #perUser: AttemptCounter;
  readonly #trusted: TrustedAddresses;

  constructor(private readonly parts: CountedAttemptsParts) {
    const { perAddress, perUserAndAddress, perUser } = parts.limits;
    this.#perAddress = new AttemptCounter('perAddress', perAddress, parts);
    this.#perUserAndAddress = new AttemptCounter('perUserAndAddress', perUserAndAddress, parts);
    this.#perUser = new AttemptCounter('perUser', perUser, parts);
    this.#trusted = new TrustedAddresses(parts);
  }

  refuseLockedOut(by: Attempted): void {
    this.#refuseLockedOut(this.#subjectOf(by));
  }

  async reserve(by: Attempted): Promise<ReservedAttempt | undefined> {
    const subject = this.#subjectOf(by);
    // Before anything is counted: a caller who is known to be locked out costs no count.
    for (const [counter, key] of subject.counters) {
      if (counter.lockedOutMs(key) > 0 && !(await this.#mayPass(subject, counter, key))) return undefined;
    }
    const reserved: Reservation[] = [];
    const attempt = this.#attempt(subject, reserved);
    try {
      // The address first: one that is locked out touches no other counter, neither a user's budget nor the room for keys.
      for (const [counter, key] of subject.counters) {
        const one = await counter.reserve(key);
        if (one !== undefined) reserved.push(one);
        else if (!(await this.#mayPass(subject, counter, key))) {
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
    const subject = this.#subjectOf(by);
    this.#refuseLockedOut(subject);
    const counters = by.address === undefined ? [] : subject.counters;
    const reserved = counters.map(([counter, key]) => counter.reserveAlone(key));
    return this.#attempt(subject, reserved);
  }

  free(by: Attempted): ReservedAttempt {
    return this.#attempt(this.#subjectOf(by), []);
  }

  storeLostData(): () => Promise<void> {
    return this.#trusted.storeLostData();
  }

  /** @param reserved reservations to settle; the one of the address comes first, if there is an address */
  #attempt({ by, origin }: Subject, reserved: readonly Reservation[]): ReservedAttempt {
    const settle = async (how: (one: Reservation, at: number) => Promise<void>): Promise<void> => {
      await Promise.all(reserved.map(how));
    };
    const refund = (): Promise<void> => settle((one) => one.refund());
    return {
      succeeded: () => {
        if (origin !== undefined) this.#trusted.add(origin);
        return refund();
      },
      failed: () => settle((one) => one.failed()),
      refund,
      refundAddress: () => settle((one, at) => (at === 0 && by.address !== undefined ? one.refund() : one.failed())),
      isFromTrustedAddress: async () => (await this.#trusted.has(origin).catch(() => false)) === true,
    };
  }

  /** Decides by what this process knows. When only the store knows whether the address is trusted, it is not refused here. */
  #refuseLockedOut({ by, counters, origin }: Subject): void {
    for (const [counter, key] of counters) {
      const waitMs = counter.lockedOutMs(key);
      if (waitMs === 0 || (counter === this.#perUser && this.#trusted.known(origin) !== false)) continue;
      throw this.#lockedOut(by, counter, waitMs);
    }
  }

  /** Whether a caller may go on although this limit is reached; otherwise it waits. Throws when failures have used up the limit. */
  async #mayPass({ by, origin }: Subject, counter: AttemptCounter, key: string): Promise<boolean> {
    const isTrusted = counter === this.#perUser ? await this.#trusted.has(origin) : false;
    const waitMs = counter.lockedOutMs(key);
    if (isTrusted === false && waitMs > 0) throw this.#lockedOut(by, counter, waitMs);
    return isTrusted === true;
  }

  #subjectOf(by: Attempted): Subject {
    const { digest } = this.parts;
    const { address: from, username } = by;
    const user = digest.of(lengthPrefixed(['user', foldedUsername(username)]));
    if (from === undefined) return { by, counters: [[this.#perUser, user]], origin: undefined };
    const address = digest.of(lengthPrefixed(['from', networkOf(from)]));
    const origin = from === UNKNOWN_ADDRESS ? undefined : digest.of(lengthPrefixed(['came', username, address]));
    const both = digest.of(lengthPrefixed([user, address]));
    return {
      by,
      counters: [
        [this.#perAddress, address],
        [this.#perUserAndAddress, both],
        [this.#perUser, user],
      ],
      origin,
    };
  }

  #lockedOut(by: Attempted, { name: limit }: AttemptCounter, retryAfterMs: number): XPayAuthError {
    this.parts.audit({ type: 'locked-out', ...by, limit });
    return new XPayAuthError('too_many_attempts', `Too many failed attempts (attempts.${limit})`, { retryAfterMs });
  }
}

/**
 * Letters that some collations and directories equate with others, although Unicode does not decompose them: those with a
 * stroke, hook or tail, ligatures, eth, thorn, eng, kra, the final sigma, and the ideographic full stop. In lower case.
 */
const EQUATED: ReadonlyMap<string, string> = new Map(
  (
    'æ=ae œ=oe ø=o ɵ=o đ=d ð=d ɖ=d ɗ=d þ=th ŧ=t ƭ=t ʈ=t ħ=h ɦ=h ı=i ɨ=i ȷ=j ɉ=j ł=l ƚ=l ɫ=l ŋ=n ɲ=n ƞ=n ĸ=k ƙ=k ' +
    'ƀ=b ɓ=b ƈ=c ȼ=c ƒ=f ǥ=g ɠ=g ƥ=p ɍ=r ʉ=u ʋ=v ɏ=y ƴ=y ƶ=z ȥ=z ς=σ 。=.'
  )
    .split(' ')
    .map((pair) => pair.split('=') as [string, string]),
);

/** Combining characters, such as accents, and invisible characters. */
const UNSEEN = /[\p{M}\p{Cf}\p{Default_Ignorable_Code_Point}]/gu;
const NOT_ASCII = /[^\0-\x7f]/gu;
const OUTER = /^\s+|[\s.]+$/gu;

/**
 * Returns the username without the differences that an upstream may ignore: those of compatibility forms (NFKD) and case,
 * accents, invisible characters, the letters of {@link EQUATED}, outer spaces and dots at the end. docs/security.md lists them.
 * For keys of counters and cooldowns only. The upstream receives the username unchanged.
 */
export function foldedUsername(username: string): string {
  const letters = folded(folded(username));
  // A name of dots or of invisible characters only stays apart from all others.
  return letters.replace(OUTER, '') || letters.trim() || username;
}

/** Upper case first: it has the full mappings, such as `ß` to `SS`. */
function folded(text: string): string {
  return text
    .normalize('NFKD')
    .replace(UNSEEN, '')
    .toUpperCase()
    .toLowerCase()
    .replace(NOT_ASCII, (letter) => EQUATED.get(letter) ?? letter);
}
