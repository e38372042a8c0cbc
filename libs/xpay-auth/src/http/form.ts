import { describeName, describeType, holdsMembers, unsendable } from './body-value.js';

/** The media type of {@link encodeForm}, as a header. */
export const FORM_HEADERS = {
  /** WHATWG URL §5. */
  'content-type': 'application/x-www-form-urlencoded',
} as const;

/**
 * Fields as `application/x-www-form-urlencoded` (WHATWG URL §5: a space is `+`, a `+` is `%2B`, everything in UTF-8).
 * Texts and numbers go as they are, a boolean as `1` or `0`, a field that is `undefined` or `null` is left out;
 * `URLSearchParams` as they stand.
 *
 * Throws `configuration` for what a form cannot express: a body that is no object of fields (an array, a `FormData`, bytes, a
 * stream, a `Date` or another object with `toJSON`), and a field that is an object, a function, a symbol, not finite, or a
 * string with a lone surrogate. The message has the type and the field's name, never the value.
 */
export function encodeForm(fields: unknown): string {
  if (fields instanceof URLSearchParams) return fields.toString();
  if (!isObjectOfFields(fields)) {
    throw unsendable('a form', 'it', describeType(fields), 'Send an object of fields, or URLSearchParams.');
  }
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined || value === null) continue;
    form.append(name, textOf(name, value));
  }
  return form.toString();
}

function isObjectOfFields(body: unknown): body is object {
  if (typeof body !== 'object' || body === null || Array.isArray(body) || !holdsMembers(body)) return false;
  return !('toJSON' in body && typeof body.toJSON === 'function');
}

function textOf(name: string, value: unknown): string {
  if (typeof value === 'boolean') return value ? '1' : '0';
  // URLSearchParams would replace a lone surrogate by U+FFFD: another text.
  if (typeof value === 'bigint' || (typeof value === 'string' && value.isWellFormed())) return String(value);
  if (typeof value === 'number' && Number.isFinite(value)) return String(value);
  const hint = 'Send a string, a finite number, a bigint or a boolean.';
  throw unsendable('a form', describeName('field', name), describeType(value), hint);
}
