import { MIMEType } from 'node:util';
import { isTooLong } from './credentials.js';
import { XPayAuthError } from './errors.js';
import type { UpstreamAnswer } from './ports.js';

/** Parses a JSON object. Returns `undefined` if the text is not one. */
export function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isText(value: unknown): value is string {
  return typeof value === 'string';
}

export function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(isText);
}

/** Whether the value is a finite number. `JSON.parse` reads `1e999` as `Infinity`, which no field may have. */
export function isNumber(value: unknown): value is number {
  return Number.isFinite(value);
}

/** Whether an optional field has no value. Many serializers write `null` instead of omitting the field. */
export function isAbsent(value: unknown): value is null | undefined {
  return value === undefined || value === null;
}

/** Whether an optional field has a finite number or no value. */
export function isOptionalNumber(value: unknown): value is number | null | undefined {
  return isAbsent(value) || isNumber(value);
}

/**
 * Returns a body as text, by the charset of its `Content-Type` (RFC 9110 §8.3.2), UTF-8 without one (RFC 8259 §8.1), and
 * without a byte order mark. `undefined` for bytes that are not in this charset and for an unknown charset
 * (https://encoding.spec.whatwg.org/#names-and-labels): with replacement characters, two names would become one.
 */
export function decodeText(body: unknown, contentType = ''): string | undefined {
  if (!(body instanceof Uint8Array) || body.length === 0) return '';
  try {
    const decoder = DECLARES_UTF8.test(contentType) ? UTF8 : new TextDecoder(charsetOf(contentType), { fatal: true });
    return decoder.decode(body);
  } catch {
    return undefined;
  }
}

/** Most answers need no parser of media types, which costs as much as their whole decoding. */
const DECLARES_UTF8 = /^[^;]*(?:; *charset=utf-8)?$/i;
const UTF8 = new TextDecoder('utf-8', { fatal: true });

function charsetOf(contentType: string): string {
  try {
    return new MIMEType(contentType).params.get('charset') ?? 'utf-8';
  } catch {
    return 'utf-8';
  }
}

/** Returns the body as a JSON object, or `undefined` when it is none. */
export function jsonObject(answer: UpstreamAnswer): Readonly<Record<string, unknown>> | undefined {
  return parseObject(answer.text);
}

/** Whether this is a token that fits a header: visible ASCII without space (RFC 6750 §2.1 allows fewer characters). */
export function isToken(value: unknown): value is string {
  return isText(value) && /^[\x21-\x7e]+$/.test(value);
}

const MAX_SCOPES = 100;
const MAX_SCOPE_LENGTH = 256;

/**
 * Whether this is a list of scopes as an upstream states them: at most 100, of at most 256 characters each, because they are
 * cached with every caller. Their spelling is not checked: an unknown scope meets no requirement.
 */
export function isScopeList(value: unknown): value is readonly string[] {
  return isTexts(value) && value.length <= MAX_SCOPES && value.every((scope) => scope.length <= MAX_SCOPE_LENGTH);
}

/**
 * Whether this is a username: not empty, not longer than the username of credentials may be, because it is kept and sent with
 * every principal, and without characters that could forge a line of a log or a header.
 */
export function isName(value: unknown): value is string {
  return isText(value) && value !== '' && !isTooLong(value) && !/\p{Cc}/u.test(value) && value.isWellFormed();
}

/**
 * Returns the claims of a JWT, or `undefined` when the token is no JWT with claims in UTF-8 (RFC 7519 §7.1). Its signature is
 * *not* checked, because the upstreams sign with keys that they do not share. A claim is a hint about a token that the
 * upstream has just issued. It proves nothing about a token that a caller presents.
 */
export function claimsOf(token: string): Readonly<Record<string, unknown>> | undefined {
  const [, payload, ...rest] = token.split('.');
  if (payload === undefined || rest.length !== 1) return undefined;
  return parseObject(decodeText(Buffer.from(payload, 'base64url')) ?? '');
}

/**
 * Converts seconds on the wire to ms: JWT `exp` (RFC 7519 §2), `expires_in` (RFC 6749 §5.1), `timestamp`. Accepts a number
 * written as text. Returns `undefined` for an absent value and for `null`.
 *
 * Throws `upstream_malformed` for anything else. Does not check whether the number makes sense as an expiry.
 */
export function msFromSeconds(value: unknown, what: string): number | undefined {
  if (isAbsent(value)) return undefined;
  const seconds = typeof value === 'string' && /^-?\d{1,15}(?:\.\d+)?$/.test(value) ? Number(value) : value;
  if (typeof seconds === 'number') return seconds * 1_000;
  throw new XPayAuthError('upstream_malformed', `The upstream's ${what} is not a number of seconds`);
}

const DAY = '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)';
const MONTH = '(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)';
const TIME = '\\d{2}:\\d{2}:\\d{2}';

/** `Sun, 06 Nov 1994 08:49:37 GMT`, and the older `Sunday, 06-Nov-94 08:49:37 GMT`. */
const WITH_ZONE = new RegExp(
  `^(?:${DAY}, \\d{2} ${MONTH} \\d{4}|(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, \\d{2}-${MONTH}-\\d{2}) ${TIME} GMT$`,
);
/** `Sun Nov  6 08:49:37 1994`, the format of C's `asctime`, also in GMT. */
const ASCTIME = new RegExp(`^${DAY} ${MONTH} [ \\d]\\d ${TIME} \\d{4}$`);

/**
 * Returns an HTTP date (RFC 9110 §5.6.7) in ms since the epoch, or `undefined` for anything else. `Date.parse` alone would
 * read a year out of `0`, `-1` or `soon 5`, and a clock that is wrong by decades would give a token a lifetime of decades.
 */
export function parseHttpDate(text: string): number | undefined {
  const zoned = WITH_ZONE.test(text) ? text : ASCTIME.test(text) ? `${text} GMT` : undefined;
  const at = zoned === undefined ? NaN : Date.parse(zoned);
  return Number.isNaN(at) ? undefined : at;
}
