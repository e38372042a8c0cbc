import type { AccessToken } from '../core/access-token.js';
import { XPayAuthError } from '../core/errors.js';
import type { Backoff } from '../async/backoff.js';

/** Renewals that a rejection caused are this far apart, in ms. */
const BETWEEN_RENEWALS_MS = 5_000;

/** An upstream that hands out more tokens than this, and takes none, is not helped by a longer memory. */
const MOST_REMEMBERED = 8;

/**
 * The tokens that the upstream did not accept before their time. None of them is handed out again. A renewal that such a
 * rejection causes comes at once, but when its token is rejected too, the next one comes 5 s after it: where an upstream
 * keeps one token for each account, two instances would otherwise chase each other with logins.
 */
export class RejectedTokens {
  #values: readonly string[] = [];
  #renewalIsOwed = false;
  #renewedAt = -Infinity;
  #pause: Backoff | undefined;

  /** No renewal before its end; `undefined`: one may come at once. */
  get pause(): Backoff | undefined {
    return this.#pause;
  }

  /** Whether the next renewal is one that a rejection causes. */
  get renewalIsOwed(): boolean {
    return this.#renewalIsOwed;
  }

  has(token: AccessToken): boolean {
    return this.#values.includes(token.value);
  }

  add(token: AccessToken, mono: number): void {
    this.#values = [...this.#values, token.value].slice(-MOST_REMEMBERED);
    this.#renewalIsOwed = true;
    const until = this.#renewedAt + BETWEEN_RENEWALS_MS;
    if (mono >= until) return;
    const message = 'The upstream rejects tokens it has just issued: is another client using this account?';
    this.#pause = { until, error: new XPayAuthError('credentials_rejected', message) };
  }

  /** A new token is there. `caused`: a rejection was the reason to ask for it. */
  renewed(mono: number, caused: boolean): void {
    this.#renewalIsOwed = false;
    this.#pause = undefined;
    if (caused) this.#renewedAt = mono;
  }
}
