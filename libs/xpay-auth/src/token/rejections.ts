import type { AccessToken, Credentials } from '../core/credentials.js';
import { XPayAuthError } from '../core/errors.js';
import { type Backoff, standingFailure } from '../async/backoff.js';
import { isSameAccount } from './app-account.js';

/**
 * Maximum number of times that changed credentials are tried during a backoff. The option `credentials` may be a function that
 * returns new credentials at each call.
 */
const MAX_CHANGES_DURING_BACKOFF = 3;

/** An app account that the upstream rejected. The same credentials are not tried again during the backoff. */
export class RejectedAccount {
  /**
   * @param credentials `undefined` if they were never read
   * @param rejections number of consecutive rejections, on this instance or another
   * @param changes number of times that the credentials changed during the backoff
   */
  constructor(
    private readonly credentials: Credentials | undefined,
    readonly rejections: number,
    readonly backoff: Backoff,
    readonly changes = 0,
  ) {}

  /** Returns the failure because of which these credentials may not be tried now, or `undefined` if they may be tried. */
  standing(credentials: Credentials, mono: number): XPayAuthError | undefined {
    const isRejected = isSameAccount(credentials, this.credentials) || this.changes >= MAX_CHANGES_DURING_BACKOFF;
    return isRejected ? standingFailure(this.backoff, mono) : undefined;
  }
}

/** Minimum ms between two renewals that a rejected token causes. */
const RENEWAL_INTERVAL_MS = 5_000;
/** Number of rejected tokens that are kept. An upstream that rejects more consecutive tokens than this rejects every token. */
const MAX_TOKENS = 8;

/**
 * The tokens that the upstream rejected before they expired. A rejection causes one renewal immediately. If the new token is
 * rejected too, the next renewal begins 5 s after the first renewal. The wait is needed if an upstream keeps one token per
 * account, because otherwise two instances would keep invalidating each other's tokens by their logins.
 *
 * An upstream that keeps issuing the same token may have rejected the token for one call only. If the upstream grants the token
 * again more than 5 s after the rejection, the token is accepted again.
 */
export class RejectedTokens {
  #values: readonly string[] = [];
  #rejectedAt = -Infinity;
  #renewedAt = -Infinity;
  /** Whether a rejected token causes the next renewal. */
  isRenewalOwed = false;

  has(token: AccessToken): boolean {
    return this.#values.includes(token.value);
  }

  /** Returns the ms for which a grant of this token is still refused, or 0 if the grant is accepted. */
  refusedForMs(token: AccessToken, mono: number, ageMs: number): number {
    // A grant that was requested before the rejection does not show that the upstream accepts the token again.
    return this.has(token) ? Math.max(0, this.#rejectedAt + RENEWAL_INTERVAL_MS - (mono - ageMs)) : 0;
  }

  /** Returns the backoff before the next renewal, or `undefined` if the renewal may begin immediately. */
  add(token: AccessToken, mono: number): Backoff | undefined {
    this.#values = [...this.#values, token.value].slice(-MAX_TOKENS);
    this.#rejectedAt = mono;
    this.isRenewalOwed = true;
    const until = this.#renewedAt + RENEWAL_INTERVAL_MS;
    if (mono >= until) return undefined;
    const message = 'The upstream rejects tokens it has just issued: is another client using this account?';
    return { until, error: new XPayAuthError('credentials_rejected', message) };
  }

  /** Call this method with each new token. `isCaused` is `true` if a rejected token caused the renewal. */
  renewed({ value }: AccessToken, isCaused: boolean, mono: number): void {
    this.#values = this.#values.filter((rejected) => rejected !== value);
    this.isRenewalOwed = false;
    if (isCaused) this.#renewedAt = mono;
  }
}
