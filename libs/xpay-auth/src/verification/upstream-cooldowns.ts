import { LRUCache } from 'lru-cache';
import { lengthPrefixed } from '../core/credentials.js';
import type { Clock } from '../core/clock.js';
import type { XPayAuthError } from '../core/errors.js';
import {
  type Backoff,
  COOLDOWN_MS,
  PROBE_INTERVAL_MS,
  type Range,
  standingFailure,
  withRetryAfter,
} from '../async/backoff.js';
import { foldedUsername } from '../rate-limit/attempts.js';
import { networkOf } from '../rate-limit/client-address.js';
import type { Attempted } from '../core/audit-events.js';

/** Failures that are answers, neither 429 nor 503. */
const ANSWERS: ReadonlySet<string> = new Set(['invalid_credentials', 'upstream_malformed', 'upstream_business_error']);
/** Usernames in a cooldown at once. Beyond it the least recent ones are dropped, and checked again. */
const MOST_USERNAMES = 10_000;
/** 429s for so many usernames … */
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
 * Stops checks when the upstream asks for that. A 429 (RFC 6585 §4) can be about one username, which anyone can present, so it
 * stops the checks of that username alone. 429s for several usernames from several addresses, and a 503 with `Retry-After`,
 * stop the checks of all but one caller a second. Renewals of cached callers go on.
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
   * Returns why this guess may not be checked now, with the ms to wait. `undefined`: it may, and is the one of its second.
   *
   * @param isTrusted whether the user was authenticated from this address recently; called only where that decides
   */
  async objectionToGuess(by: Source, isTrusted: () => Promise<boolean>): Promise<XPayAuthError | undefined> {
    const now = this.parts.clock.monotonic();
    const objection =
      this.#usernames.size === 0 ? undefined : standingFailure(this.#usernames.get(this.#keyOf(by)), now);
    if (objection !== undefined || this.#everyone.failure(now) === undefined) return objection;
    const trusted = await isTrusted();
    return this.#everyone.admit(trusted, this.parts.clock.monotonic());
  }

  /** Like {@link objectionToGuess}, for a renewal. Only an unavailable upstream stops renewals, to one call a second. */
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
    // The upstream answers, so it is not unavailable.
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

/** Ms for which the next probe is kept for a trusted address that was refused with a `Retry-After` of a second. */
const KEPT_FOR_TRUSTED_MS = 1_000;

/**
 * A cooldown of all checks, half-open: one check a second passes, so that the answer to it can end the cooldown. Addresses
 * with a recent success come first. After a 503 only they pass: it says that the service is unavailable to everyone
 * (RFC 9110 §15.6.4). Times are on the monotonic clock.
 */
class HalfOpenCooldown {
  #current: Backoff | undefined;
  #nextProbeAt = -Infinity;
  #keptUntil = -Infinity;

  /** Starts the cooldown. One for the same failure is prolonged, one for another failure is replaced. */
  start(error: XPayAuthError, until: number, now: number): void {
    const current = this.failure(now);
    if (current === undefined) this.#nextProbeAt = now + PROBE_INTERVAL_MS;
    const earlier = current?.code === error.code ? this.#current?.until : undefined;
    this.#current = { error, until: Math.max(until, earlier ?? -Infinity) };
  }

  /** Returns the failure that caused the cooldown; `undefined` without one. */
  failure(now: number): XPayAuthError | undefined {
    return standingFailure(this.#current, now);
  }

  end(): void {
    this.#current = undefined;
  }

  /** Returns `undefined` for one check a second. Any other is refused with the failure, and the ms to wait. */
  admit(isTrusted: boolean, now: number): XPayAuthError | undefined {
    const failure = this.failure(now);
    if (failure === undefined) return undefined;
    const mayProbe = isTrusted || (failure.code !== 'upstream_unavailable' && now >= this.#keptUntil);
    if (mayProbe && now >= this.#nextProbeAt) {
      this.#nextProbeAt = now + PROBE_INTERVAL_MS;
      this.#keptUntil = -Infinity;
      return undefined;
    }
    if (!isTrusted) return failure;
    this.#keptUntil = this.#nextProbeAt + KEPT_FOR_TRUSTED_MS;
    return withRetryAfter(failure, Math.min(this.#nextProbeAt - now, failure.retryAfterMs ?? Infinity));
  }
}

/** Whether so many different keys were added within a time. Keeps no more keys than that. */
export class RecentDistinct {
  /** When each key was added last, the oldest first. */
  readonly #addedAt = new Map<string, number>();

  /** @param windowMs the longest time between the first of these keys and the last */
  constructor(
    private readonly count: number,
    private readonly windowMs: number,
  ) {}

  /** Adds a key, and returns whether `count` different ones were added within `windowMs`. `now` never decreases. */
  add(key: string, now: number): boolean {
    this.#addedAt.delete(key);
    this.#addedAt.set(key, now);
    let [oldest] = this.#addedAt;
    if (oldest !== undefined && this.#addedAt.size > this.count) {
      this.#addedAt.delete(oldest[0]);
      [oldest] = this.#addedAt;
    }
    return oldest !== undefined && this.#addedAt.size === this.count && now - oldest[1] <= this.windowMs;
  }

  clear(): void {
    this.#addedAt.clear();
  }
}
