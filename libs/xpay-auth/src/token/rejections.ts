import type { AccessToken, Credentials } from '../core/credentials.js';
import { XPayAuthError } from '../core/errors.js';
import { type Backoff, standingFailure } from '../async/backoff.js';
import { isSameAccount } from './app-account.js';

/** Changed credentials are tried at once, but only this often: a function may return new ones each time. */
const MAX_CHANGES_DURING_BACKOFF = 3;

/** An app account that the upstream rejected. The same credentials are not tried again during the backoff. */
export class RejectedAccount {
  /**
   * @param credentials `undefined` if they were never read
   * @param rejections number of rejections in a row, on this instance or another
   * @param changes number of times that the credentials changed during the backoff
   */
  constructor(
    private readonly credentials: Credentials | undefined,
    readonly rejections: number,
    readonly backoff: Backoff,
    readonly changes = 0,
  ) {}

  /** Returns why these credentials are not tried now; `undefined` if they may be. */
  standing(credentials: Credentials, mono: number): XPayAuthError | undefined {
    const isRejected = isSameAccount(credentials, this.credentials) || this.changes >= MAX_CHANGES_DURING_BACKOFF;
    return isRejected ? standingFailure(this.backoff, mono) : undefined;
  }
}

/** Ms between renewals that a rejection causes. */
const RENEWAL_INTERVAL_MS = 5_000;
/** An upstream that rejects more tokens than this in a row rejects every token. */
const MAX_TOKENS = 8;

/**
 * The tokens that the upstream rejected before they expired. A rejection causes one renewal at once. If that token is
 * rejected too, the next renewal comes 5 s after it: where an upstream keeps one token per account, two instances would
 * otherwise log in against each other without end.
 *
 * An upstream that keeps issuing the same token may have rejected it for one call only. Once 5 s have passed, a new grant of
 * the token ends its rejection.
 */
export class RejectedTokens {
  #values: readonly string[] = [];
  #rejectedAt = -Infinity;
  #renewedAt = -Infinity;
  /** Whether the next renewal is one that a rejection causes. */
  isRenewalOwed = false;

  has(token: AccessToken): boolean {
    return this.#values.includes(token.value);
  }

  /** Returns for how many ms more a grant of this token is refused; 0: it is accepted. */
  refusedForMs(token: AccessToken, mono: number, ageMs: number): number {
    // A grant that was requested before says nothing new.
    return this.has(token) ? Math.max(0, this.#rejectedAt + RENEWAL_INTERVAL_MS - (mono - ageMs)) : 0;
  }

  /** Returns the backoff before the next renewal; `undefined`: it is due at once. */
  add(token: AccessToken, mono: number): Backoff | undefined {
    this.#values = [...this.#values, token.value].slice(-MAX_TOKENS);
    this.#rejectedAt = mono;
    this.isRenewalOwed = true;
    const until = this.#renewedAt + RENEWAL_INTERVAL_MS;
    if (mono >= until) return undefined;
    const message = 'The upstream rejects tokens it has just issued: is another client using this account?';
    return { until, error: new XPayAuthError('credentials_rejected', message) };
  }

  /** This token was obtained. `isCaused`: because another one had been rejected. */
  renewed({ value }: AccessToken, isCaused: boolean, mono: number): void {
    this.#values = this.#values.filter((rejected) => rejected !== value);
    this.isRenewalOwed = false;
    if (isCaused) this.#renewedAt = mono;
  }
}
