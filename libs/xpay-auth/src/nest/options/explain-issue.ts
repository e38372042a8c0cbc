import type { BaseIssue } from 'valibot';

type Issue = BaseIssue<unknown>;

/**
 * Describes one invalid option in one line: its path, its origin, the accepted values, and its value unless the value may be a
 * secret.
 */
export function explainIssue(issue: Issue, options: unknown, variable?: string): string {
  const path = pathOf(issue);
  if (issue.type === 'never') {
    return `XPayAuthModule option ${path.join('.')}: there is no such option. Check its spelling and its group.`;
  }
  const isBadKey = issue.path?.at(-1)?.origin === 'key';
  const shown = isBadKey ? JSON.stringify(path.pop()) : show(path, options);
  const origin = variable === undefined ? '' : ` (from ${variable})`;
  return `XPayAuthModule option ${path.join('.')}${origin}: ${shown} is not allowed; expected ${issue.message}.`;
}

/** Returns the names of the groups and of the option that an issue concerns. */
export function pathOf({ path }: Issue): string[] {
  return (path ?? []).map(({ key }) => String(key));
}

/**
 * Detects several variables on one line of a `.env` file. They are read as one value, which then contains the secrets of the
 * other variables.
 */
export const ASSIGNMENT = /\w=/;

/** Returns the value at a path of the options. */
export function valueAt(path: readonly string[], options: unknown): unknown {
  return path.reduce((value, key) => (value as Readonly<Record<string, unknown>> | null | undefined)?.[key], options);
}

function show(path: readonly string[], options: unknown): string {
  if (path.includes('credentials') || path.some((key) => /secret|password|key/i.test(key))) return '[redacted]';
  const value = valueAt(path, options);
  // A URL may contain a password, and may be set for any option by mistake.
  if (typeof value === 'string' && /:\/\/.*@/s.test(value)) return '[redacted]';
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'object' && value !== null) return showStructure(value);
  if (typeof value === 'string' && ASSIGNMENT.test(value)) return '[redacted]';
  return typeof value === 'number' || typeof value === 'bigint'
    ? String(value)
    : (JSON.stringify(value) ?? 'undefined');
}

/** Shows the structure of an object. Only numbers are shown as values, because any other value may be a secret. */
function showStructure(value: object): string {
  const numbers = Object.values(value).every((part) => typeof part === 'number');
  if (numbers) return JSON.stringify(value);
  return Array.isArray(value) ? 'an array' : 'an object';
}
