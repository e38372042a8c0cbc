import { inspect } from 'node:util';

/** What may be said of an access token beside its value. */
export interface AccessTokenFacts {
  /** Ms since the epoch, as the upstream states it; absent when the upstream does not say. */
  readonly expiresAt?: number | undefined;
  /** The scopes the upstream says it carries. @default none */
  readonly scopes?: readonly string[];
}

/** An access token of the upstream. Prints as `[access token]`; {@link value} is for the `Authorization` header. */
export class AccessToken {
  readonly #value: string;
  /** Ms since the epoch by the upstream's clock, or `undefined` when the upstream does not say. */
  readonly expiresAt: number | undefined;
  /** The scopes the upstream says it carries; empty when it does not say. */
  readonly scopes: readonly string[];

  /** For a dialect of your own; everybody else is handed one by `XPayTokenService`. */
  constructor(value: string, facts: AccessTokenFacts = {}) {
    this.#value = value;
    this.expiresAt = facts.expiresAt;
    this.scopes = Object.freeze([...(facts.scopes ?? [])]);
  }

  /** The token itself. */
  get value(): string {
    return this.#value;
  }

  /** `[access token]`, so that no log has the value. */
  toString(): string {
    return '[access token]';
  }

  /** `[access token]`, so that no answer has the value. */
  toJSON(): string {
    return '[access token]';
  }

  /** `[access token]`, so that no `console.log` has the value. */
  [inspect.custom](): string {
    return '[access token]';
  }
}
