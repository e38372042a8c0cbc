import { inspect } from 'node:util';

/** A user name and its key. Called so in every dialect, whatever the upstream's own field names are. */
export interface Credentials {
  /** As the upstream knows it; often an e-mail address, but never assumed to be one. */
  readonly username: string;
  /** The secret that goes with it, byte for byte: never trimmed, cut or normalised. */
  readonly secretKey: string;
}

/** Credentials that do not print. Everything inside the library hands these on, never the plain object it was given. */
export class SealedCredentials implements Credentials {
  readonly username: string;
  readonly #secretKey: string;

  constructor(username: string, secretKey: string) {
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

  toString(): string {
    return '[credentials]';
  }

  toJSON(): string {
    return '[credentials]';
  }

  [inspect.custom](): string {
    return '[credentials]';
  }
}

/** Longest user name and secret that are looked at, in UTF-8 bytes: beyond it nothing is digested, counted or sent. */
const LONGEST_FIELD_BYTES = 4_096;

// Control characters: RFC 7617 §2 forbids them in a user-id and a password.
const CONTROL = /\p{Cc}/u;

/** Why credentials cannot be anybody's, whatever the upstream knows. */
export type CredentialsFlaw = 'too_long' | 'ill_formed' | 'control' | 'empty';

/** The first flaw of these credentials; what is merely empty is otherwise fit to be counted and logged. */
export function flawOf(credentials: Credentials): CredentialsFlaw | undefined {
  const { username, secretKey } = credentials;
  if (isTooLong(username) || isTooLong(secretKey)) return 'too_long';
  // A lone surrogate has no UTF-8 form: two such names would be one and the same to a digest and on the wire.
  if (!username.isWellFormed() || !secretKey.isWellFormed()) return 'ill_formed';
  if (CONTROL.test(username) || CONTROL.test(secretKey)) return 'control';
  return username === '' || secretKey === '' ? 'empty' : undefined;
}

function isTooLong(field: string): boolean {
  return field.length > LONGEST_FIELD_BYTES || Buffer.byteLength(field) > LONGEST_FIELD_BYTES;
}
