import { LRUCache } from 'lru-cache';
import { lengthPrefixed } from '../core/cache-key.js';
import type { Clock } from '../core/clock.js';
import type { XPayAuthError } from '../core/errors.js';
import { type Range, type Backoff, COOLDOWN_MS, standingFailure } from '../async/backoff.js';
import { foldedUsername } from '../rate-limit/attempts.js';
import { networkOf } from '../rate-limit/client-address.js';
import type { Attempted } from '../core/audit-events.js';
import { HalfOpenCooldown } from './half-open-cooldown.js';
import { RecentDistinct } from './recent-distinct.js';

/** Failures that are answers, neither 429 nor 503. */
const ANSWERS: ReadonlySet<string> = new Set(['invalid_credentials', 'upstream_malformed', 'upstream_business_error']);
/** User names in a cooldown at once; the least recent make room, and are checked again. */
const MOST_USERNAMES = 10_000;
/** 429s for so many user names … */
const LIMITED_USERNAMES = 5;
/** … from so many addresses … */
const LIMITED_ADDRESSES = 3;
/** … within so many ms mean that all of this app's checks are too many. */
const LIMITED_WITHIN_MS = 10_000;

type Source = Pick<Attempted, 'username' | 'address'>;

export interface UpstreamCooldownsParts {
  readonly clock: Clock;
  readonly digest: { of(text: string): string };
  /** `cooldownMs`: the shortest and the longest cooldown. @default { min: 1_000, max: 60_000 } */
  readonly policy?: { readonly cooldownMs?: Range };
}

/**
 * When the upstream is not called because it asked for that. A 429 (RFC 6585 §4) can be about one user name, which anyone
 * can present: it stops the checks of that name alone. 429s for several names from several addresses, and a 503 with
 * `Retry-After`, stop the checks of all but one caller a second. Renewals of cached callers go on.
 */
export class UpstreamCooldowns {
  readonly #usernames = new LRUCache<string, Backoff>({ max: MOST_USERNAMES });
  readonly #limitedUsernames = new RecentDistinct(LIMITED_USERNAMES, LIMITED_WITHIN_MS);
  readonly #limitedAddresses = new RecentDistinct(LIMITED_ADDRESSES, LIMITED_WITHIN_MS);
  readonly #everyone = new HalfOpenCooldown();
  readonly #cooldownMs: Range;

  constructor(private readonly parts: UpstreamCooldownsParts) {
    this.#cooldownMs = parts.policy?.cooldownMs ?? COOLDOWN_MS;
  }

  /**
   * Why this guess may not be checked now, with the ms to wait; `undefined`: it may, and counts as the one of its second.
   *
   * @param isTrusted whether the user was authenticated from this address lately; called only where that decides
   */
  async objectionToGuess(by: Source, isTrusted: () => Promise<boolean>): Promise<XPayAuthError | undefined> {
    const now = this.parts.clock.monotonic();
    const objection =
      this.#usernames.size === 0 ? undefined : standingFailure(this.#usernames.get(this.#keyOf(by)), now);
    if (objection !== undefined || this.#everyone.failure(now) === undefined) return objection;
    const trusted = await isTrusted();
    return this.#everyone.admit(trusted, this.parts.clock.monotonic());
  }

  /** As {@link objectionToGuess}, of a renewal: only an upstream that is unavailable holds it back, to one call a second. */
  objectionToRenewal(): XPayAuthError | undefined {
    const now = this.parts.clock.monotonic();
    return this.#everyone.failure(now)?.code === 'upstream_unavailable' ? this.#everyone.admit(true, now) : undefined;
  }

  /** The upstream answered neither 429 nor 503: ends the cooldown of all, which five more 429s can start again. */
  answered(by: Source): void {
    if (this.#usernames.size > 0) this.#usernames.delete(this.#keyOf(by));
    if (this.#everyone.failure(this.parts.clock.monotonic()) === undefined) return;
    this.#limitedUsernames.clear();
    this.#limitedAddresses.clear();
    this.#everyone.end();
  }

  /** The check failed, after the upstream was called. */
  failed(failure: XPayAuthError, by: Source): void {
    const { code, retryAfterMs } = failure;
    if (code === 'upstream_rate_limited') this.#limited(failure, by);
    else if (ANSWERS.has(code)) this.answered(by);
    else if (code === 'upstream_unavailable' && retryAfterMs !== undefined) {
      const now = this.parts.clock.monotonic();
      this.#everyone.start(failure, now + Math.min(retryAfterMs, this.#cooldownMs.max), now);
    }
  }

  #limited(error: XPayAuthError, by: Source): void {
    const now = this.parts.clock.monotonic();
    const { min, max } = this.#cooldownMs;
    const until = now + Math.min(Math.max(error.retryAfterMs ?? 0, min), max);
    const key = this.#keyOf(by);
    if (until > (this.#usernames.get(key)?.until ?? -Infinity)) this.#usernames.set(key, { until, error });
    const manyUsernames = this.#limitedUsernames.add(key, now);
    const manyAddresses = this.#limitedAddresses.add(this.#addressOf(by), now);
    if (manyUsernames && manyAddresses) this.#everyone.start(error, until, now);
    // It answers, so it is not unavailable.
    else if (this.#everyone.failure(now)?.code === 'upstream_unavailable') this.#everyone.end();
  }

  #keyOf({ username }: Source): string {
    return this.parts.digest.of(lengthPrefixed(['limited user', foldedUsername(username)]));
  }

  /** Callers without a known address count as one address. */
  #addressOf({ address }: Source): string {
    return this.parts.digest.of(
      lengthPrefixed(['limited address', ...(address === undefined ? [] : [networkOf(address)])]),
    );
  }
}
