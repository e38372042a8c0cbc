import type { BaseIssue } from 'valibot';

type Issue = BaseIssue<unknown>;

/** One line for one bad option: its path, its value unless it may be a secret, its origin, and the accepted values. */
export function explainIssue(issue: Issue, options: unknown, variable?: string): string {
  const path = pathOf(issue);
  if (issue.type === 'never') {
    return `XPayAuthModule option ${path.join('.')}: there is no such option. Check its spelling and the group it stands in.`;
  }
  const isBadKey = issue.path?.at(-1)?.origin === 'key';
  const shown = isBadKey ? JSON.stringify(path.pop()) : show(path, options);
  const origin = variable === undefined ? '' : ` (from ${variable})`;
  return `XPayAuthModule option ${path.join('.')}${origin}: ${shown} is not allowed; expected ${issue.message}.`;
}

/** The names of the groups and of the option that an issue is about. */
export function pathOf({ path }: Issue): string[] {
  return (path ?? []).map(({ key }) => String(key));
}

/** Several variables on one line of a `.env` are read as one value, which holds the secrets of the others. */
export const ASSIGNMENT = /\w=/;

/** The value at a path of the options. */
export function valueAt(path: readonly string[], options: unknown): unknown {
  return path.reduce((value, key) => (value as Readonly<Record<string, unknown>> | null | undefined)?.[key], options);
}

function show(path: readonly string[], options: unknown): string {
  if (path[0] === 'credentials' || path.some((key) => /secret|password|key/i.test(key))) return '[redacted]';
  const value = valueAt(path, options);
  // A URL may hold a password, also where no URL is expected.
  if (typeof value === 'string' && /:\/\/.*@/s.test(value)) return '[redacted]';
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'object' && value !== null) return showStructure(value);
  if (typeof value === 'string' && ASSIGNMENT.test(value)) return '[redacted]';
  return typeof value === 'number' || typeof value === 'bigint'
    ? String(value)
    : (JSON.stringify(value) ?? 'undefined');
}

/** Numbers hold no secret. Any other value in an object may. */
function showStructure(value: object): string {
  const numbers = Object.values(value).every((part) => typeof part === 'number');
  if (numbers) return JSON.stringify(value);
  return Array.isArray(value) ? 'an array' : 'an object';
}
