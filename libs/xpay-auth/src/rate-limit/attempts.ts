import type { Attempted, AuditSink } from '../core/audit-events.js';
import { lengthPrefixed } from '../core/credentials.js';
import { XPayAuthError } from '../core/errors.js';
import { AttemptCounter, type Limit, type Reservation } from './attempt-counter.js';
import { TrustedAddresses, type TrustedAddressesParts, UNKNOWN_ADDRESS, networkOf } from './client-address.js';

/** The option `attempts`: the limit of each counter. */
export interface AttemptLimits {
  /** Failed attempts for one username from one address. */
  readonly perUserAndAddress: Limit;
  /** Failed attempts from one address for all usernames. */
  readonly perAddress: Limit;
  /** Failed attempts for one username from all addresses. */
  readonly perUser: Limit;
}

/**
 * One reserved attempt. Call exactly one of the first four methods, and call it once. Until then, the reservation may make other
 * callers wait.
 */
export interface ReservedAttempt {
  /**
   * Call this method if the upstream accepted the credentials. Refunds the attempt, and makes the address trusted for this
   * user.
   */
  succeeded(): Promise<void>;
  /** Call this method if the upstream rejected the credentials. Counts the attempt as a failure. */
  failed(): Promise<void>;
  /** Call this method if the check was undecided, or if the same rejection has been counted already. Refunds the attempt. */
  refund(): Promise<void>;
  /**
   * Call this method if the upstream answered 429. Counts a failure in the counters `perUser` and `perUserAndAddress`, and
   * refunds the attempt in the counter `perAddress`.
   */
  refundAddress(): Promise<void>;
  /** Whether the address is trusted for this user. `false` if this cannot be determined. */
  isFromTrustedAddress(): Promise<boolean>;
}

/**
 * Counts failed attempts. An attempt is reserved before the upstream is called, because parallel guesses could exceed a limit if
 * attempts were counted afterwards.
 */
export interface Attempts {
  /** Throws `too_many_attempts` if this process already knows that failures have used up a limit. Never calls the store. */
  refuseLockedOut(by: Attempted): void;
  /**
   * Reserves one attempt. Returns `undefined` if the caller must wait. There are two reasons to wait: a limit is reached only
   * because reservations on any instance are still open, or the store has just lost its data, so that it is not known whether the
   * address is trusted. Throws `too_many_attempts` if failures have used up a limit, and `store_unavailable` if only an
   * unavailable store could tell whether the address is trusted.
   */
  reserve(by: Attempted): Promise<ReservedAttempt | undefined>;
  /**
   * Reserves one attempt for credentials with an empty user name or secret. The attempt is reserved in this process only, because
   * such credentials cause no call of the upstream. Without an address, the attempt is not counted, because a caller can present
   * any number of user names. Throws `too_many_attempts`.
   */
  reserveEmpty(by: Attempted): ReservedAttempt;
  /** Returns an attempt that is not counted, for the renewal of a cached caller. */
  free(by: Attempted): ReservedAttempt;
  /**
   * Call this method when the store has lost its data. Returns a function that writes the trusted addresses to the store again.
   * If the function rejects, call it again later.
   */
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

/** For `attempts: false`: counts nothing. */
export const unlimitedAttempts: Attempts = {
  refuseLockedOut: () => undefined,
  reserve: () => Promise.resolve(uncounted),
  reserveEmpty: () => uncounted,
  free: () => uncounted,
  storeLostData: () => nothing,
};

export interface CountedAttemptsParts extends TrustedAddressesParts {
  readonly limits: AttemptLimits;
  /** Computes the keys of the counters. It must be equal on all instances that count together. */
  readonly digest: { of(text: string): string };
  readonly audit: AuditSink;
}

/** The counters of one caller. */
interface Subject {
  readonly by: Attempted;
  /**
   * The counters with their keys. The counter by user is the last one. If attempts are not counted by address, it is the only
   * one.
   */
  readonly counters: readonly (readonly [AttemptCounter, string])[];
  /**
   * Key of the pair of user and address that a success makes trusted. The key contains the exact username, because a similar
   * spelling may belong to another account. `undefined` for the address `unknown`, which is never trusted, because anyone who
   * resets a connection has this address.
   */
  readonly origin: string | undefined;
}

/**
 * Three counters (OWASP ASVS 5.0 6.3.1, NIST SP 800-63B-4 §3.2.2): by address, by user and address, and by user. If only the
 * limit by user is used up, callers from addresses that are trusted for the user may still try, so that an attacker cannot lock
 * out the user.
 */
export class CountedAttempts implements Attempts {
  readonly #perAddress: AttemptCounter;
  readonly #perUserAndAddress: AttemptCounter;
  readonly #perUser: AttemptCounter;
  readonly #trusted: TrustedAddresses;
  /** The subject of each caller. One check needs it several times, and computes four digests for it. */
  readonly #subjects = new WeakMap<Attempted, Subject>();

  constructor(private readonly parts: CountedAttemptsParts) {
    const { perAddress, perUserAndAddress, perUser } = parts.limits;
    this.#perAddress = new AttemptCounter('perAddress', perAddress, parts);
    this.#perUserAndAddress = new AttemptCounter('perUserAndAddress', perUserAndAddress, parts);
    this.#perUser = new AttemptCounter('perUser', perUser, parts);
    this.#trusted = new TrustedAddresses(parts);
  }

  refuseLockedOut(by: Attempted): void {
    const { counters, origin } = this.#subjectOf(by);
    for (const [counter, key] of counters) {
      const waitMs = counter.lockedOutMs(key);
      // If only the store knows whether the address is trusted, the caller may continue.
      if (waitMs === 0 || (counter === this.#perUser && this.#trusted.known(origin) !== false)) continue;
      throw this.#lockedOut(by, counter, waitMs);
    }
  }

  async reserve(by: Attempted): Promise<ReservedAttempt | undefined> {
    const subject = this.#subjectOf(by);
    // Lockouts that this process knows are checked first, so that a caller who is locked out causes no count.
    for (const [counter, key] of subject.counters) {
      const waitMs = counter.lockedOutMs(key);
      if (waitMs > 0 && !(await this.#mayPass(subject, counter, waitMs))) return undefined;
    }
    const reserved: Reservation[] = [];
    const attempt = new CountedAttempt(subject, reserved, this.#trusted);
    try {
      // The counter by address comes first, so that attempts from an address that is locked out neither use up the limit of a
      // user nor evict keys of the other counters.
      for (const [counter, key] of subject.counters) {
        const reserving = counter.reserve(key);
        const one = reserving instanceof Promise ? await reserving : reserving;
        if (typeof one !== 'number') reserved.push(one);
        else if (!(await this.#mayPass(subject, counter, one))) {
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
    this.refuseLockedOut(by);
    const subject = this.#subjectOf(by);
    const counters = by.address === undefined ? [] : subject.counters;
    const reserved = counters.map(([counter, key]) => counter.reserveAlone(key));
    return new CountedAttempt(subject, reserved, this.#trusted);
  }

  free(by: Attempted): ReservedAttempt {
    return new CountedAttempt(this.#subjectOf(by), [], this.#trusted);
  }

  storeLostData(): () => Promise<void> {
    return this.#trusted.storeLostData();
  }

  /**
   * Returns whether a caller may continue although this limit is reached. If not, the caller must wait. Throws if failures have
   * used up the limit for `waitMs`.
   */
  async #mayPass({ by, origin }: Subject, counter: AttemptCounter, waitMs: number): Promise<boolean> {
    const isTrusted = counter === this.#perUser ? await this.#trusted.has(origin) : false;
    if (isTrusted === false && waitMs > 0) throw this.#lockedOut(by, counter, waitMs);
    return isTrusted === true;
  }

  #subjectOf(by: Attempted): Subject {
    const known = this.#subjects.get(by);
    if (known !== undefined) return known;
    const subject = this.#computeSubject(by);
    this.#subjects.set(by, subject);
    return subject;
  }

  #computeSubject(by: Attempted): Subject {
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

/** A reserved attempt of a caller. If there is an address, the reservation by address is the first one. */
class CountedAttempt implements ReservedAttempt {
  constructor(
    private readonly subject: Subject,
    private readonly reserved: readonly Reservation[],
    private readonly trusted: TrustedAddresses,
  ) {}

  succeeded(): Promise<void> {
    const { origin } = this.subject;
    if (origin !== undefined) this.trusted.add(origin);
    return this.refund();
  }

  failed(): Promise<void> {
    return settled(this.reserved.map((one) => one.failed()));
  }

  refund(): Promise<void> {
    return settled(this.reserved.map((one) => one.refund()));
  }

  refundAddress(): Promise<void> {
    const isByAddress = (at: number): boolean => at === 0 && this.subject.by.address !== undefined;
    return settled(this.reserved.map((one, at) => (isByAddress(at) ? one.refund() : one.failed())));
  }

  async isFromTrustedAddress(): Promise<boolean> {
    return (await this.trusted.has(this.subject.origin).catch(() => false)) === true;
  }
}

/** Resolves when all reservations are settled. */
async function settled(settling: readonly (Promise<void> | undefined)[]): Promise<void> {
  for (const one of settling) if (one !== undefined) await one;
}

/**
 * Letters that some collations and directories treat as equal to other letters, although Unicode does not decompose them: letters
 * with a stroke, hook or tail, ligatures, eth, thorn, eng, kra, the final sigma, and the ideographic full stop. All are in lower
 * case.
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
const ASCII = /^[\0-\x7f]*$/;
// Without the lookbehind, the time for a username with many dots before a letter would grow quadratically.
const OUTER = /^\s+|(?<![\s.])[\s.]+$/gu;

/**
 * Returns the username without differences that an upstream may ignore: compatibility forms (NFKD), case, accents, invisible
 * characters, the letters of {@link EQUATED}, outer spaces and dots at the end. docs/security.md lists these differences. Use the
 * result only for keys of counters and cooldowns. The upstream receives the username unchanged.
 */
export function foldedUsername(username: string): string {
  const letters = folded(folded(username));
  // A username that consists only of dots or invisible characters is not folded, so that it is not equal to any other.
  return letters.replace(OUTER, '') || letters.trim() || username;
}

/** Converts to upper case before lower case, because only `toUpperCase` has the full mappings, such as `ß` to `SS`. */
function folded(text: string): string {
  // ASCII has none of the other differences.
  if (ASCII.test(text)) return text.toLowerCase();
  return text
    .normalize('NFKD')
    .replace(UNSEEN, '')
    .toUpperCase()
    .toLowerCase()
    .replace(NOT_ASCII, (letter) => EQUATED.get(letter) ?? letter);
}
