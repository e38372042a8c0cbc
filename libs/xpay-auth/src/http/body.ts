import { MIMEType } from 'node:util';
import { parseObject } from '../core/json-object.js';
import type { UpstreamAnswer } from '../core/ports.js';

export { isAbsent, isObject } from '../core/json-object.js';

/**
 * A body as text, by the charset of its `Content-Type` (RFC 9110 §8.3.2), UTF-8 without one (RFC 8259 §8.1); a byte order
 * mark is left out. `undefined` for bytes that are not in this charset and for a charset that is not known
 * (https://encoding.spec.whatwg.org/#names-and-labels): with replacement characters, two names would become one.
 */
export function decodeText(body: unknown, contentType = ''): string | undefined {
  if (!(body instanceof Uint8Array) || body.length === 0) return '';
  try {
    return new TextDecoder(charsetOf(contentType), { fatal: true }).decode(body);
  } catch {
    return undefined;
  }
}

function charsetOf(contentType: string): string {
  try {
    return new MIMEType(contentType).params.get('charset') ?? 'utf-8';
  } catch {
    return 'utf-8';
  }
}

/** The body as a JSON object, or `undefined` when it is none. */
export function jsonObject(answer: UpstreamAnswer): Readonly<Record<string, unknown>> | undefined {
  return parseObject(answer.text);
}

/** The upstream's own words in one line: without control and format characters and what stands around it. `undefined` when there are none. */
export function oneLine(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined;
  const line = value.replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ').trim();
  return line === '' ? undefined : line;
}

/** A token that fits a header: visible ASCII, no space (RFC 6750 §2.1 knows fewer characters). */
export function isToken(value: unknown): value is string {
  return typeof value === 'string' && /^[\x21-\x7e]+$/.test(value);
}

const MOST_SCOPES = 100;
const LONGEST_SCOPE = 256;

/**
 * Scopes as an upstream states them: at most 100, of at most 256 characters each, for they are remembered with every caller.
 * What they say is not looked at: one that nobody has heard of, or that RFC 6749 would not spell so, opens nothing.
 */
export function isScopeList(value: unknown): value is readonly string[] {
  return (
    Array.isArray(value) &&
    value.length <= MOST_SCOPES &&
    value.every((scope) => typeof scope === 'string' && scope.length <= LONGEST_SCOPE)
  );
}

/** A user's name as an upstream states it: something, and nothing that could forge a line of a log or a header. */
export function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && !/\p{Cc}/u.test(value) && value.isWellFormed();
}
