import type { AccessToken, Credentials } from '../core/credentials.js';
import { XPayAuthError } from '../core/errors.js';
import { type Backoff, type BackoffPolicy, doubled, standingFailure } from '../async/backoff.js';
import { isSameAccount } from './app-account.js';

/** Changed credentials are tried at once, but only this often: a function may return new ones each time. */
const MAX_CHANGES_DURING_BACKOFF = 3;

/** Which app account the upstream rejected, and how long the same credentials are not tried again. */
export class RejectedAccount {
  #credentials: Credentials | undefined;
  #backoff: Backoff | undefined;
  #rejections = 0;
  #changes = 0;

  constructor(private readonly policy: BackoffPolicy) {}

  /** End of the backoff, on the monotonic clock. */
  get until(): number {
    return this.#backoff?.until ?? -Infinity;
  }

  /** How often in a row the account was rejected, on this instance or another. */
  get rejections(): number {
    return this.#rejections;
  }

  /** Returns why these credentials are not tried now; `undefined` if they may be. */
  standing(credentials: Credentials, mono: number): XPayAuthError | undefined {
    const isRejected = isSameAccount(credentials, this.#credentials) || this.#changes >= MAX_CHANGES_DURING_BACKOFF;
    return isRejected ? standingFailure(this.#backoff, mono) : undefined;
  }

  /** Records a rejection. Returns the ms of the backoff. */
  add(credentials: Credentials | undefined, error: XPayAuthError, mono: number): number {
    this.#changes = mono < this.until ? this.#changes + 1 : 0;
    const backoffMs = doubled(this.policy.rejectedRetryMs, this.#rejections + 1);
    this.learn(credentials, this.#rejections + 1, { until: mono + backoffMs, error });
    return backoffMs;
  }

  /** Takes over the backoff of another instance. */
  learn(credentials: Credentials | undefined, rejections: number, backoff: Backoff): void {
    this.#credentials = credentials;
    this.#rejections = rejections;
    this.#backoff = backoff;
  }

  /** The upstream accepted the account. */
  clear(): void {
    this.#backoff = undefined;
    this.#rejections = 0;
    this.#changes = 0;
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
 */
export class RejectedTokens {
  #values: readonly string[] = [];
  #renewedAt = -Infinity;
  /** Whether the next renewal is one that a rejection causes. */
  isRenewalOwed = false;
  backoff: Backoff | undefined;

  has(token: AccessToken): boolean {
    return this.#values.includes(token.value);
  }

  add(token: AccessToken, mono: number): void {
    this.#values = [...this.#values, token.value].slice(-MAX_TOKENS);
    this.isRenewalOwed = true;
    const until = this.#renewedAt + RENEWAL_INTERVAL_MS;
    if (mono >= until) return;
    const message = 'The upstream rejects tokens it has just issued: is another client using this account?';
    this.backoff = { until, error: new XPayAuthError('credentials_rejected', message) };
  }

  /** A token was obtained. `isCaused`: because another one had been rejected. */
  renewed(isCaused: boolean, mono: number): void {
    this.isRenewalOwed = false;
    this.backoff = undefined;
    if (isCaused) this.#renewedAt = mono;
  }
}
