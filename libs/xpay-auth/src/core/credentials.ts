import { NonPrinting } from './secret.js';

/** A user name and its secret key. The same two names in every dialect, whatever the upstream calls its fields. */
export interface Credentials {
  /** As the upstream knows it; often an e-mail address, but never assumed to be one. */
  readonly username: string;
  /** The secret that goes with it, byte for byte: never trimmed, cut or normalised. */
  readonly secretKey: string;
}

/** Credentials that do not print. The library passes these on, never the plain object it was given. */
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

/** Maximum length of a user name and of a secret, in UTF-8 bytes. Longer ones are not digested, counted or sent. */
const LONGEST_FIELD_BYTES = 4_096;

// Control characters: RFC 7617 §2 forbids them in a user-id and a password.
const CONTROL = /\p{Cc}/u;

/** Why credentials are invalid without asking the upstream. */
export type CredentialsFlaw = 'too_long' | 'ill_formed' | 'control' | 'empty';

/** The first flaw of these credentials. With `empty`, the user name may still be counted and logged. */
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
