import type { Credentials } from './credentials.js';

/** Everything that makes two checks of credentials the same check. Nothing the server knows goes in, only what was sent. */
export interface CheckedCredentials {
  readonly instance: string;
  readonly dialect: string;
  readonly baseUrl: string;
  readonly scheme: string;
  readonly username: string;
  readonly secretKey: string;
}

/** Changes when the meaning of the fields below does, so that entries of different versions never meet. */
const FORMAT = 'v1';

/**
 * The canonical text of a check, to be digested: every field with its length in front, so that no two different lists of
 * fields have the same text.
 */
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
 * The text whose digest names a remembered caller in this process: the canonical Basic header, whatever the scheme, because
 * that is what most clients send, so their next request is recognised by its raw header alone. No Basic header can carry a
 * user name with a colon (RFC 7617 §2); those have their fields length-prefixed after a NUL, which no header can hold.
 */
export function callerText({ username, secretKey }: Credentials): string {
  if (username.includes(':')) return `\0${lengthPrefixed([username, secretKey])}`;
  return `Basic ${Buffer.from(`${username}:${secretKey}`).toString('base64')}`;
}

/** Injective: different lists of strings give different texts. */
export function lengthPrefixed(fields: readonly string[]): string {
  return fields.map((field) => `${field.length}:${field}`).join('');
}
