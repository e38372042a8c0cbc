import { XPayAuthError } from './errors.js';

/**
 * Add your own scope names, and they complete in the editor:
 *
 * ```ts
 * declare module 'nestjs-xpay-auth' {
 *   interface XPayScopes {
 *     'reports:read': true;
 *   }
 * }
 * ```
 */
export interface XPayScopes {}

/** A scope: one of xPay.stream's two, one of yours ({@link XPayScopes}), or any string of RFC 6749 §3.3. */
export type Scope = 'tme_user' | 'tme_admin' | keyof XPayScopes | (string & {});

/** Which scopes a scope implies, by name; transitive. Nothing is implied unless it is written here. */
export type ScopeHierarchy = Readonly<Record<string, readonly string[]>>;

/** RFC 6749 §3.3: `scope-token = 1*( %x21 / %x23-5B / %x5D-7E )`. */
const SCOPE_TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

/** Whether a string may be a scope at all: printable ASCII without space, quote and backslash (RFC 6749 §3.3). */
export function isScope(value: unknown): value is Scope {
  return typeof value === 'string' && SCOPE_TOKEN.test(value);
}

/** What a route asks of a caller's scopes: every one of `all`, and one of `any` unless `any` is empty. */
export interface ScopeRequirement {
  readonly all: readonly string[];
  readonly any: readonly string[];
}

/** Whether the scopes held meet the requirement. Exact and case-sensitive. */
export function meets(held: readonly string[], required: ScopeRequirement): boolean {
  return (
    required.all.every((scope) => held.includes(scope)) &&
    (required.any.length === 0 || required.any.some((scope) => held.includes(scope)))
  );
}

/** The scopes held and all that they imply. Throws `configuration` when the hierarchy runs in a circle. */
export function expandScopes(held: readonly string[], hierarchy: ScopeHierarchy): readonly string[] {
  const all = new Set<string>();
  const visit = (scope: string): void => {
    if (all.has(scope)) return;
    all.add(scope);
    if (Object.hasOwn(hierarchy, scope)) hierarchy[scope]?.forEach(visit);
  };
  held.forEach(visit);
  return Object.freeze([...all]);
}

/** Throws `configuration` when a scope implies itself, directly or through others. */
export function assertNoCycle(hierarchy: ScopeHierarchy): void {
  const finished = new Set<string>();
  const visit = (scope: string, path: readonly string[]): void => {
    if (finished.has(scope)) return;
    if (path.includes(scope)) {
      const circle = [...path.slice(path.indexOf(scope)), scope].join(' → ');
      throw new XPayAuthError('configuration', `scopeHierarchy runs in a circle: ${circle}. Remove one of its links.`);
    }
    if (Object.hasOwn(hierarchy, scope)) hierarchy[scope]?.forEach((implied) => visit(implied, [...path, scope]));
    finished.add(scope);
  };
  Object.keys(hierarchy).forEach((scope) => visit(scope, []));
}
