import { types } from 'node:util';
import { XPayAuthError } from '../core/errors.js';

/**
 * Whether what an object holds is in its own enumerable members. It is not for a `Map`, a `FormData`, a stream, bytes, an
 * `Error` and the like, nor for an instance of a class without such members: those may keep their content in private fields.
 */
export function holdsMembers(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  // A plain object, of any realm.
  if (prototype === null || Object.getPrototypeOf(prototype) === null) return true;
  if (types.isNativeError(value) || ArrayBuffer.isView(value)) return false;
  if (Symbol.iterator in value || Symbol.asyncIterator in value) return false;
  // A stream, also one that can only be written to or comes from an older package.
  if ('pipe' in value && typeof value.pipe === 'function') return false;
  return Object.keys(value).length > 0;
}

/** What a value is, for a message: its type and never its content. */
export function describeType(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === 'number' && !Number.isFinite(value)) return 'a number that is not finite';
  if (typeof value === 'string' && !value.isWellFormed()) return 'a string with a lone surrogate';
  if (typeof value !== 'object') return `of type ${typeof value}`;
  const prototype = Object.getPrototypeOf(value) as { constructor?: { name?: unknown } } | null;
  const name = prototype?.constructor?.name;
  return `of type ${typeof name === 'string' && /^[A-Za-z_$][\w$]{0,63}$/.test(name) ? name : 'Object'}`;
}

/** A field or member by its name, where that is a plain name; anything else might be data. */
export function describeName(kind: 'field' | 'member', name: string): string {
  return /^[A-Za-z_$][\w$.[\]-]{0,63}$/.test(name) ? `the ${kind} "${name}"` : `a ${kind}`;
}

/** The `configuration` error for a body that an encoding cannot express. */
export function unsendable(encoding: 'JSON' | 'a form', where: string, what: string, hint: string): XPayAuthError {
  return new XPayAuthError('configuration', `The body cannot be sent as ${encoding}: ${where} is ${what}. ${hint}`);
}
