import { types } from 'node:util';
import { type XPayAuthError, asXPayAuthError, configurationError } from '../core/errors.js';

/** The header with the media type of {@link encodeForm}. */
export const FORM_HEADERS = {
  /** WHATWG URL §5. */
  'content-type': 'application/x-www-form-urlencoded',
} as const;

const FORM_FIELDS = 'Send a string, a finite number, a bigint or a boolean.';
const JSON_VALUES = 'Send plain objects, arrays, strings, finite numbers, booleans and null, or objects with toJSON.';

/**
 * Encodes fields as `application/x-www-form-urlencoded` (WHATWG URL §5: a space becomes `+`, a `+` becomes `%2B`, and the text is
 * UTF-8). A boolean becomes `1` or `0`. A field that is `undefined` or `null` is omitted. `URLSearchParams` are written
 * unchanged.
 *
 * Throws `configuration` for what a form cannot express: a body that is no object of fields (an array, a `FormData`, bytes, a
 * stream, a `Date` or another object with `toJSON`), and a field that is an object, a function, a symbol, not finite, or a string
 * with a lone surrogate. The message contains the type and the name of the field, never the value.
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
  // `URLSearchParams` would replace a lone surrogate with U+FFFD, so the upstream would receive another text.
  if (typeof value === 'bigint' || (typeof value === 'string' && value.isWellFormed())) return String(value);
  if (typeof value === 'number' && Number.isFinite(value)) return String(value);
  throw unsendable('a form', describeName('field', name), describeType(value), FORM_FIELDS);
}

/**
 * Encodes a value as JSON (RFC 8259), like `JSON.stringify`: an object with `toJSON`, such as a `Date`, is replaced by the result
 * of `toJSON`, and members that are `undefined` are omitted.
 *
 * Throws `configuration` for what `JSON.stringify` would empty, drop or change without an error: `Map`, `Set`, `FormData`,
 * `URLSearchParams`, `Blob`, streams, bytes, errors and instances of classes without own members; functions and symbols; `NaN`,
 * `Infinity` and invalid dates; `undefined` in an array or as the whole body. Also throws `configuration` for a `bigint`, a
 * circular object and a `toJSON` that throws. The message contains the type and the name of the member, never the value.
 */
export function encodeJson(body: unknown): string {
  try {
    const text: string | undefined = JSON.stringify(body, checked);
    if (text !== undefined) return text;
  } catch (thrown) {
    throw asXPayAuthError(
      thrown,
      'configuration',
      'The body cannot be sent as JSON: it is circular or nested too deeply, or one of its getters or toJSON methods throws',
    );
  }
  throw unsendable('JSON', 'it', 'undefined', JSON_VALUES);
}

/**
 * A replacer that returns each value unchanged, or throws `configuration`. If the original value has `toJSON`, `value` is its
 * result.
 */
function checked(this: unknown, key: string, value: unknown): unknown {
  const inArray = Array.isArray(this);
  const what = flawOf(Reflect.get(this as object, key), value, inArray);
  if (what === undefined) return value;
  const where = inArray ? 'an element of an array' : key === '' ? 'it' : describeName('member', key);
  throw unsendable('JSON', where, what, JSON_VALUES);
}

/** Returns the part of a value that JSON cannot express, or `undefined`. */
function flawOf(original: unknown, value: unknown, inArray: boolean): string | undefined {
  // Buffers and invalid dates are rejected although they have `toJSON`, because the results {"type":"Buffer","data":[…]} and null
  // are useless.
  if (ArrayBuffer.isView(original)) return describeType(original);
  if (types.isDate(original) && Number.isNaN(original.getTime())) return 'an invalid Date';
  const plain: unknown = types.isBoxedPrimitive(value) ? value.valueOf() : value;
  return isExpressible(plain, inArray) ? undefined : describeType(plain);
}

function isExpressible(plain: unknown, inArray: boolean): boolean {
  if (typeof plain === 'number') return Number.isFinite(plain);
  if (plain === undefined) return !inArray;
  if (typeof plain === 'object') return plain === null || Array.isArray(plain) || holdsMembers(plain);
  return typeof plain === 'string' || typeof plain === 'boolean';
}

/**
 * Whether the content of an object is in its own enumerable members. Returns `false` for a `Map`, a `FormData`, a stream, bytes,
 * an `Error` and similar objects. Also returns `false` for an instance of a class without such members, because its content may
 * be in private fields.
 */
function holdsMembers(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  // A plain object, also from another realm.
  if (prototype === null || Object.getPrototypeOf(prototype) === null) return true;
  if (types.isNativeError(value) || ArrayBuffer.isView(value)) return false;
  if (Symbol.iterator in value || Symbol.asyncIterator in value) return false;
  // A stream, including write-only streams and streams of older packages.
  if ('pipe' in value && typeof value.pipe === 'function') return false;
  return Object.keys(value).length > 0;
}

/** Returns the type of a value for a message, never its content. */
function describeType(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === 'number' && !Number.isFinite(value)) return 'a number that is not finite';
  if (typeof value === 'string' && !value.isWellFormed()) return 'a string with a lone surrogate';
  if (typeof value !== 'object') return `of type ${typeof value}`;
  const prototype = Object.getPrototypeOf(value) as { constructor?: { name?: unknown } } | null;
  const name = prototype?.constructor?.name;
  return `of type ${typeof name === 'string' && /^[A-Za-z_$][\w$]{0,63}$/.test(name) ? name : 'Object'}`;
}

/** Describes a field or member. Contains the name only if it is a plain identifier, because any other name might be data. */
function describeName(kind: 'field' | 'member', name: string): string {
  return /^[A-Za-z_$][\w$.[\]-]{0,63}$/.test(name) ? `the ${kind} "${name}"` : `a ${kind}`;
}

function unsendable(encoding: 'JSON' | 'a form', where: string, what: string, hint: string): XPayAuthError {
  return configurationError(`The body cannot be sent as ${encoding}: ${where} is ${what}. ${hint}`);
}
