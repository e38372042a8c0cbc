import { inspect } from 'node:util';

/**
 * Base class of objects that hold a secret. `String`, `JSON.stringify`, `console.log` and `util.inspect` show a label instead,
 * also with `showHidden`, provided that the secret is in a `#private` field.
 */
export abstract class NonPrinting {
  readonly #label: string;

  /** @param label shown instead, such as `[secret]` */
  protected constructor(label: string) {
    this.#label = label;
  }

  /** The label, for string conversion and concatenation. */
  toString(): string {
    return this.#label;
  }

  /** The label, for `JSON.stringify`. */
  toJSON(): string {
    return this.#label;
  }

  /** The label, for `console.log` and `util.inspect`. */
  [inspect.custom](): string {
    return this.#label;
  }
}

/** A string that does not print. Read it with {@link reveal}, at the point where it is sent. */
export class Secret extends NonPrinting {
  readonly #value: string;

  /** Wraps the string. Only {@link reveal} returns it. */
  constructor(value: string) {
    super('[secret]');
    this.#value = value;
  }

  /** The string itself. */
  reveal(): string {
    return this.#value;
  }
}

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
