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

/** The last `Authorization` line of a connection. */
interface LastLine {
  /** `undefined` for good once the connection has carried two different lines. */
  digest: string | undefined;
  /** The line itself, while it is that of an authenticated caller. */
  text: string | undefined;
}

/**
 * The digests of `Authorization` lines. A connection whose caller was authenticated is recognised by an equal line, without
 * another digest. A connection that has carried two different lines is shared, and is never recognised again: otherwise the
 * time of an answer would depend on the line of another caller. Threat model: docs/decisions/0010.
 */
export class ConnectionDigests {
  /** Not a property of the connection, so that nothing else can read or print a line. */
  readonly #lastLines = new WeakMap<object, LastLine>();

  constructor(private readonly digest: KeyedDigest) {}

  /** @param connection `undefined` computes the digest every time */
  of(text: string, connection: object | undefined): string {
    if (connection === undefined) return this.digest.of(text);
    const last = this.#lastLines.get(connection);
    // The first unequal line ends this comparison for good, so it reveals nothing to callers who share the connection.
    if (last?.text === text && last.digest !== undefined) return last.digest;
    const digest = this.digest.of(text);
    if (last === undefined) this.#lastLines.set(connection, { digest, text: undefined });
    else if (last.digest !== digest) last.digest = last.text = undefined;
    return digest;
  }

  /** The caller of this line is authenticated. */
  keep(text: string, digest: string, connection: object | undefined): void {
    const last = connection && this.#lastLines.get(connection);
    if (last?.digest === digest) last.text = text;
  }

  /** The caller of the last line is not, or no longer, authenticated. */
  drop(connection: object | undefined): void {
    const last = connection && this.#lastLines.get(connection);
    if (last !== undefined) last.text = undefined;
  }
}
