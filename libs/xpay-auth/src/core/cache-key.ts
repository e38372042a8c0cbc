import { hash, randomBytes } from 'node:crypto';
import type { Credentials } from './credentials.js';

/** The fields that identify a check of credentials. They come only from the request and the configuration. */
export interface CheckedCredentials {
  readonly instance: string;
  readonly dialect: string;
  readonly baseUrl: string;
  readonly scheme: string;
  readonly username: string;
  readonly secretKey: string;
}

/** Version of the canonical text. Change it with the meaning of the fields, so that entries of different versions never match. */
const FORMAT = 'v1';

/** Returns the canonical text of a check, for its digest. Each field is preceded by its length. */
export function canonicalText(check: CheckedCredentials): string {
  return lengthPrefixed([
    FORMAT,
    check.instance,
    check.dialect,
    check.baseUrl,
    check.scheme,
    check.username,
    check.secretKey,
  ]);
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
  return fields.map((field) => `${field.length}:${field}`).join('');
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
