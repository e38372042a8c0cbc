import { XPayAuthError } from '../core/errors.js';

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
 * Throws `configuration`, naming the field and never its value, for what a form cannot say.
 */
export function encodeForm(fields: unknown): string {
  if (fields instanceof URLSearchParams) return fields.toString();
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) {
    throw new XPayAuthError('configuration', 'The body of this call is sent as a form: give an object of fields');
  }
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(fields as Record<string, unknown>)) {
    if (value === undefined || value === null) continue;
    form.append(name, textOf(name, value));
  }
  return form.toString();
}

function textOf(name: string, value: unknown): string {
  if (typeof value === 'boolean') return value ? '1' : '0';
  if (typeof value === 'string' || typeof value === 'bigint') return String(value);
  if (typeof value === 'number' && Number.isFinite(value)) return String(value);
  throw new XPayAuthError(
    'configuration',
    `The field ${name} cannot be sent in a form: expected a text, a finite number or a boolean`,
  );
}
