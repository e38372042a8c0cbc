import { hash, randomBytes } from 'node:crypto';
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

/** Sets of scopes that principals and tokens share; beyond it the table starts again. Most apps have a handful. */
const MOST_SCOPE_SETS = 1_000;
const scopeSets = new Map<string, readonly string[]>();

/** Returns the one frozen array for these scopes, so that a large cache takes less memory. */
export function sharedScopes(scopes: readonly string[]): readonly string[] {
  const key = JSON.stringify(scopes);
  let set = scopeSets.get(key);
  if (set === undefined) {
    if (scopeSets.size >= MOST_SCOPE_SETS) scopeSets.clear();
    scopeSets.set(key, (set = Object.freeze([...scopes])));
  }
  return set;
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
    this.scopes = sharedScopes(facts.scopes ?? []);
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

/** RFC 9110 §11.2 `token68`, which is also RFC 6750's `b64token`. */
export const TOKEN68 = /^[A-Za-z0-9\-._~+/]+=*$/;
/** Maximum length of an `Authorization` header that is parsed, in characters. It is enough for two fields of 4 KiB in base64. */
export const LONGEST_HEADER = 12_288;

/** Returns the only accepted spelling of a bearer header (RFC 6750 §2.1). The digest of the header is the key of a session. */
export function bearerHeader(token: string): string {
  return `Bearer ${token}`;
}

/** Maximum length of a username and of a secret, in UTF-8 bytes. A longer one is not digested, counted or sent. */
const LONGEST_FIELD_BYTES = 4_096;

// Control characters: RFC 7617 §2 forbids them in a user-id and a password.
const CONTROL = /\p{Cc}/u;

/** A reason to reject credentials without a call to the upstream. */
export type CredentialsFlaw = 'not_text' | 'too_long' | 'ill_formed' | 'control' | 'empty';

/** Returns the first flaw of these credentials, if any. Only with the flaw `empty` may the username be counted and logged. */
export function flawOf(credentials: Credentials): CredentialsFlaw | undefined {
  const { username, secretKey }: { readonly username: unknown; readonly secretKey: unknown } = credentials;
  // A route or an extractor may pass on a body without checking its types.
  if (typeof username !== 'string' || typeof secretKey !== 'string') return 'not_text';
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

/** The fields that identify a check of credentials. They come only from the request and the configuration. */
export interface CheckedCredentials extends Credentials {
  readonly instance: string;
  readonly dialect: string;
  readonly baseUrl: string;
  readonly scheme: string;
}

/** Version of the canonical text. Change it with the meaning of the fields, so that entries of different versions never match. */
const FORMAT = 'v1';

/** Returns the canonical text of a check, for its digest. Each field is preceded by its length. */
export function canonicalText(check: CheckedCredentials): string {
  const { instance, dialect, baseUrl, scheme, username, secretKey } = check;
  return lengthPrefixed([FORMAT, instance, dialect, baseUrl, scheme, username, secretKey]);
}

/**
 * Returns the text whose digest is the cache key of a caller. The text is the canonical Basic header, whatever the scheme, so
 * that the raw header of most clients' next request has the same digest. A Basic header cannot contain a username with a colon
 * (RFC 7617 §2). The text for such a username begins with a NUL, which no header can contain.
 */
export function callerText({ username, secretKey }: Credentials): string {
  if (username.includes(':')) return `\0${lengthPrefixed([username, secretKey])}`;
  return `Basic ${Buffer.from(`${username}:${secretKey}`).toString('base64')}`;
}

/** Joins strings so that different lists give different texts. */
export function lengthPrefixed(fields: readonly string[]): string {
  let text = '';
  for (const field of fields) text += `${field.length}:${field}`;
  return text;
}

/**
 * Computes keyed digests for the caches of this process. The key is random and never leaves the process, so a digest cannot be
 * compared with a dictionary outside the process. docs/decisions/0003 explains why the digest is not an HMAC.
 */
export class KeyedDigest {
  readonly #key = randomBytes(32).toString('base64');

  /** Returns 256 bits, one byte in each character. Equal texts have equal digests in one object, but not in different objects. */
  of(text: string): string {
    return hash('sha256', this.#key + text, 'binary');
  }
}

/** The lines of one connection. */
interface ConnectionLines {
  /** Digest of every line so far; `undefined` for good once the connection has carried two different lines. */
  digest: string | undefined;
  /** The line, while its caller is authenticated. */
  line: AuthorizationLine | undefined;
}

/** An `Authorization` line, and its digest. */
export interface AuthorizationLine {
  readonly text: string;
  readonly digest: string;
  /** `undefined` where the connection is not known. */
  readonly connection?: ConnectionLines | undefined;
}

/**
 * The digests of `Authorization` lines. A connection whose caller was authenticated is recognised by an equal line, without
 * another digest. A connection that has carried two different lines is shared, and is never recognised again: otherwise the
 * time of an answer would depend on the line of another caller. Threat model: docs/decisions/0010.
 */
export class ConnectionDigests {
  /** Not a property of the connection, so that no other code can read or print a line. */
  readonly #connections = new WeakMap<object, ConnectionLines>();

  constructor(private readonly digest: KeyedDigest) {}

  /** @param key the connection; `undefined` computes the digest every time */
  lineOf(text: string, key: object | undefined): AuthorizationLine {
    if (key === undefined) return { text, digest: this.digest.of(text) };
    let connection = this.#connections.get(key);
    // A connection that fails this comparison with another line is never compared again.
    if (connection?.line?.text === text) return connection.line;
    const digest = this.digest.of(text);
    if (connection === undefined) this.#connections.set(key, (connection = { digest, line: undefined }));
    else if (connection.digest !== digest) connection.digest = connection.line = undefined;
    return { text, digest, connection };
  }
}

/** Recognises the connection by this line from now on, unless the connection is shared. Its caller is authenticated. */
export function keepLine(line: AuthorizationLine): void {
  const { connection, digest } = line;
  if (connection?.digest === digest) connection.line = line;
}

/** Forgets the line of this connection. Its caller is not, or no longer, authenticated. */
export function dropLine({ connection }: AuthorizationLine): void {
  if (connection !== undefined) connection.line = undefined;
}
