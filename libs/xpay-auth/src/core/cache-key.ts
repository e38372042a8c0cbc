import { hash, randomBytes } from 'node:crypto';
import type { Credentials } from './credentials.js';

/** Two checks with the same fields are the same check. Only fields of the request and of the configuration are in it. */
export interface CheckedCredentials {
  readonly instance: string;
  readonly dialect: string;
  readonly baseUrl: string;
  readonly scheme: string;
  readonly username: string;
  readonly secretKey: string;
}

/** Changes with the meaning of the fields below, so that entries of different versions are never mixed up. */
const FORMAT = 'v1';

/** Returns the canonical text of a check, to be digested: every field with its length in front. */
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
 * Returns the text whose digest is the key of a cached caller: the canonical Basic header, whatever the scheme, so that the next
 * request of most clients is found by its raw header. A Basic header cannot have a username with a colon (RFC 7617 §2). The text
 * of such a username begins with a NUL, which no header can have.
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
 * Keyed digests for the caches of this process. The key is random and never leaves the process, so the keys of a cache cannot be
 * compared with a dictionary elsewhere. Why it is not an HMAC: docs/decisions/0003.
 */
export class KeyedDigest {
  readonly #key = randomBytes(32).toString('base64');

  /** 256 bits, a byte in each character, the same for the same text within this object, and nowhere else. */
  of(text: string): string {
    return hash('sha256', this.#key + text, 'binary');
  }
}
