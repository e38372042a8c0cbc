import { NonPrinting } from './non-printing.js';

/** The upstream's statements about an access token, beside its value. */
export interface AccessTokenFacts {
  /** Ms since the epoch, as the upstream states it; absent when the upstream does not say. */
  readonly expiresAt?: number | undefined;
  /** The scopes that the upstream states for it. @default none */
  readonly scopes?: readonly string[];
}

/** An access token of the upstream. Prints as `[access token]`; {@link value} is for the `Authorization` header. */
export class AccessToken extends NonPrinting {
  readonly #value: string;
  /** Ms since the epoch by the upstream's clock, or `undefined` when the upstream does not say. */
  readonly expiresAt: number | undefined;
  /** The scopes that the upstream states for it; empty when it does not say. */
  readonly scopes: readonly string[];

  /** For a dialect of your own. Otherwise `XPayTokenService` returns the token. */
  constructor(value: string, facts: AccessTokenFacts = {}) {
    super('[access token]');
    this.#value = value;
    this.expiresAt = facts.expiresAt;
    this.scopes = Object.freeze([...(facts.scopes ?? [])]);
  }

  /** The token itself. */
  get value(): string {
    return this.#value;
  }
}
