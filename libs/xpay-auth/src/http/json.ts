import { types } from 'node:util';
import { asXPayAuthError } from '../core/errors.js';
import { describeName, describeType, holdsMembers, unsendable } from './body-value.js';

const HINT = 'Send plain objects, arrays, strings, finite numbers, booleans and null, or objects with toJSON.';

/**
 * A value as JSON (RFC 8259), as `JSON.stringify` writes it: an object with `toJSON` (a `Date`) is what that returns, and
 * members that are `undefined` are left out.
 *
 * Throws `configuration` for what `JSON.stringify` would empty, drop or change without an error: `Map`, `Set`, `FormData`,
 * `URLSearchParams`, `Blob`, streams, bytes, errors and instances of classes without members of their own; functions and
 * symbols; `NaN`, `Infinity` and invalid dates; `undefined` in an array or as the whole body. Likewise for a `bigint`, a
 * circular object and a `toJSON` that throws. The message has the type and the member's name, never the value.
 */
export function encodeJson(body: unknown): string {
  try {
    const text: string | undefined = JSON.stringify(body, checked);
    if (text !== undefined) return text;
  } catch (thrown) {
    throw asXPayAuthError(
      thrown,
      'configuration',
      'The body cannot be sent as JSON: it is circular or nested too deeply, or code of its own throws',
    );
  }
  throw unsendable('JSON', 'it', 'undefined', HINT);
}

/** A replacer that replaces nothing. `value` is what `toJSON` returned, where there is one. */
function checked(this: unknown, key: string, value: unknown): unknown {
  const inArray = Array.isArray(this);
  const what = flawOf(Reflect.get(this as object, key), value, inArray);
  if (what === undefined) return value;
  const where = inArray ? 'an element of an array' : key === '' ? 'it' : describeName('member', key);
  throw unsendable('JSON', where, what, HINT);
}

/** What JSON cannot express about a value, or `undefined`. */
function flawOf(original: unknown, value: unknown, inArray: boolean): string | undefined {
  // Two whose `toJSON` is of no use: {"type":"Buffer","data":[…]}, and null.
  if (ArrayBuffer.isView(original)) return describeType(original);
  if (types.isDate(original) && Number.isNaN(original.getTime())) return 'an invalid Date';
  const plain: unknown = types.isBoxedPrimitive(value) ? value.valueOf() : value;
  switch (typeof plain) {
    case 'string':
    case 'boolean':
      return undefined;
    case 'number':
      return Number.isFinite(plain) ? undefined : describeType(plain);
    case 'undefined':
      return inArray ? describeType(plain) : undefined;
    case 'object':
      return plain === null || Array.isArray(plain) || holdsMembers(plain) ? undefined : describeType(plain);
    default:
      return describeType(plain);
  }
}
