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

/** Failures that show an answer of the upstream other than 429 and 5xx. */
const ANSWERS: ReadonlySet<string> = new Set(['invalid_credentials', 'upstream_malformed', 'upstream_business_error']);
/**
 * Maximum number of usernames in a cooldown. Beyond the maximum, the least recently used usernames are evicted, and their checks
 * reach the upstream again.
 */
const MOST_USERNAMES = 10_000;
/** A cooldown of all usernames begins after 429s for this number of usernames … */
const LIMITED_USERNAMES = 5;
/** … from this number of addresses … */
const LIMITED_ADDRESSES = 3;
/** … within this many ms, because the upstream then probably limits all checks of this app. */
const LIMITED_WITHIN_MS = 10_000;

type Source = Pick<Attempted, 'username' | 'address'>;

export interface UpstreamCooldownsParts {
  readonly clock: Clock;
  readonly digest: { of(text: string): string };
  /** `cooldownMs` is the range of a cooldown in ms. @default { min: 1_000, max: 60_000 } */
  readonly policy?: { readonly cooldownMs?: Range };
}

/**
 * Stops checks for the time that the upstream requests. A 429 (RFC 6585 §4) may concern only one username, which anyone can
 * present, so it stops only the checks of this username. 429s for several usernames from several addresses stop the checks of all
 * usernames except one check per second, but no renewals of cached callers. A 5xx with `Retry-After` stops all checks and
 * renewals except one per second.
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
   * Returns the failure because of which these credentials may not be checked now, with the ms to wait. Returns `undefined` if
   * they may be checked. During a cooldown of all usernames, this check is then the one check of its second.
   *
   * @param isTrusted returns whether the address is trusted for the user. Called only if the decision depends on it
   */
  async objectionToGuess(by: Source, isTrusted: () => Promise<boolean>): Promise<XPayAuthError | undefined> {
    const now = this.parts.clock.monotonic();
    const objection =
      this.#usernames.size === 0 ? undefined : standingFailure(this.#usernames.get(this.#keyOf(by)), now);
    if (objection !== undefined || this.#everyone.failure(now) === undefined) return objection;
    const trusted = await isTrusted();
    return this.#everyone.admit(trusted, this.parts.clock.monotonic());
  }

  /** Like {@link objectionToGuess}, for a renewal. Renewals are limited to one per second only if a 5xx started the cooldown. */
  objectionToRenewal(): XPayAuthError | undefined {
    const now = this.parts.clock.monotonic();
    return this.#everyone.failure(now)?.code === 'upstream_unavailable' ? this.#everyone.admit(true, now) : undefined;
  }

  /**
   * Call this method when the upstream has answered neither 429 nor 5xx. Ends the cooldown of this username and the cooldown of
   * all usernames. Five more 429s can start the latter again.
   */
  answered(by: Source): void {
    if (this.#usernames.size > 0) this.#usernames.delete(this.#keyOf(by));
    if (this.#everyone.failure(this.parts.clock.monotonic()) === undefined) return;
    this.#limitedUsernames.clear();
    this.#limitedAddresses.clear();
    this.#everyone.end();
  }

  /** Call this method when a check has failed after the upstream was called. */
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
    // A 429 shows that the upstream is available.
    else if (this.#everyone.failure(now)?.code === 'upstream_unavailable') this.#everyone.end();
  }

  #keyOf({ username }: Source): string {
    return this.parts.digest.of(lengthPrefixed(['limited user', foldedUsername(username)]));
  }

  /** Returns the key of the caller's address. Callers without a known address count as one address. */
  #addressOf({ address }: Source): string {
    return this.parts.digest.of(
      lengthPrefixed(['limited address', ...(address === undefined ? [] : [networkOf(address)])]),
    );
  }
}

/**
 * Ms for which the next probe is reserved for trusted addresses, after a caller from a trusted address was refused with a
 * `Retry-After` of one second.
 */
const KEPT_FOR_TRUSTED_MS = 1_000;

/**
 * A half-open cooldown of all checks. One check per second reaches the upstream, so that its answer can end the cooldown. Checks
 * from trusted addresses come first. After a 503, only these checks reach the upstream, because a 503 means that the service is
 * unavailable to everyone (RFC 9110 §15.6.4). Times are on the monotonic clock.
 */
class HalfOpenCooldown {
  #current: Backoff | undefined;
  #nextProbeAt = -Infinity;
  #keptUntil = -Infinity;

  /**
   * Starts the cooldown. Extends a current cooldown with the same error code, and replaces a current cooldown with another error
   * code.
   */
  start(error: XPayAuthError, until: number, now: number): void {
    const current = this.failure(now);
    if (current === undefined) this.#nextProbeAt = now + PROBE_INTERVAL_MS;
    const earlier = current?.code === error.code ? this.#current?.until : undefined;
    this.#current = { error, until: Math.max(until, earlier ?? -Infinity) };
  }

  /** Returns the failure that caused the cooldown, or `undefined` if there is no cooldown. */
  failure(now: number): XPayAuthError | undefined {
    return standingFailure(this.#current, now);
  }

  end(): void {
    this.#current = undefined;
  }

  /** Returns `undefined` for one check per second. For any other check, returns the failure with the ms to wait. */
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

/** Detects whether `count` different keys were added within `windowMs`. Keeps at most `count` keys. */
export class RecentDistinct {
  /** Time when each key was last added. The oldest key comes first. */
  readonly #addedAt = new Map<string, number>();

  /** @param windowMs maximum ms between the oldest and the newest of the `count` keys */
  constructor(
    private readonly count: number,
    private readonly windowMs: number,
  ) {}

  /** Adds a key. Returns whether `count` different keys were added within `windowMs`. `now` must never decrease. */
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
