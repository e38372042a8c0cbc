import { inspect } from 'node:util';

/**
 * Base class of objects that hold a secret in a `#private` field. `String`, `JSON.stringify`, `console.log` and `util.inspect`
 * show a label instead of the secret, even with the option `showHidden`.
 */
export abstract class NonPrinting {
  readonly #label: string;

  /** @param label the text to show instead of the secret, such as `[secret]` */
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

/** A secret string that does not print. Call {@link reveal} only where the string is sent. */
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

/** The facts that the upstream states about an access token, in addition to its value. */
export interface AccessTokenFacts {
  /** Expiry in ms since the epoch by the upstream's clock; absent if the upstream states none. */
  readonly expiresAt?: number | undefined;
  /** The scopes that the upstream states for the token. @default none */
  readonly scopes?: readonly string[];
}

/** An access token of the upstream. Prints as `[access token]`; {@link value} is for the `Authorization` header. */
export class AccessToken extends NonPrinting {
  readonly #value: string;
  /** Expiry in ms since the epoch by the upstream's clock; `undefined` if the upstream states none. */
  readonly expiresAt: number | undefined;
  /** The scopes that the upstream states for the token; empty if it states none. */
  readonly scopes: readonly string[];

  /** For a dialect of your own. An app receives its token from `XPayTokenService`. */
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

/** A username and its secret key. Every dialect uses these two names, whatever the upstream calls its fields. */
export interface Credentials {
  /** The username at the upstream. It is often an e-mail address, but the library does not assume so. */
  readonly username: string;
  /** The secret of this user, byte for byte: never trimmed, cut or normalised. */
  readonly secretKey: string;
}

/** Credentials that do not print. The library passes these on instead of the plain object of the app. */
export class SealedCredentials extends NonPrinting implements Credentials {
  readonly username: string;
  readonly #secretKey: string;

  constructor(username: string, secretKey: string) {
    super('[credentials]');
    this.username = username;
    this.#secretKey = secretKey;
  }

  static of(credentials: Credentials): SealedCredentials {
    return credentials instanceof SealedCredentials
      ? credentials
      : new SealedCredentials(credentials.username, credentials.secretKey);
  }

  get secretKey(): string {
    return this.#secretKey;
  }
}

/** Maximum length of a username and of a secret, in UTF-8 bytes. A longer one is not digested, counted or sent. */
const LONGEST_FIELD_BYTES = 4_096;

// Control characters: RFC 7617 §2 forbids them in a user-id and a password.
const CONTROL = /\p{Cc}/u;

/** A reason to reject credentials without a call to the upstream. */
export type CredentialsFlaw = 'too_long' | 'ill_formed' | 'control' | 'empty';

/** Returns the first flaw of these credentials, if any. Only with the flaw `empty` may the username be counted and logged. */
export function flawOf(credentials: Credentials): CredentialsFlaw | undefined {
  const { username, secretKey } = credentials;
  if (isTooLong(username) || isTooLong(secretKey)) return 'too_long';
  // A lone surrogate has no UTF-8 form, so two different names could have the same digest and the same bytes on the wire.
  if (!username.isWellFormed() || !secretKey.isWellFormed()) return 'ill_formed';
  if (CONTROL.test(username) || CONTROL.test(secretKey)) return 'control';
  return username === '' || secretKey === '' ? 'empty' : undefined;
}

/** Whether a username or a secret has more than 4,096 bytes in UTF-8. */
export function isTooLong(field: string): boolean {
  return field.length > LONGEST_FIELD_BYTES || Buffer.byteLength(field) > LONGEST_FIELD_BYTES;
}
