import type { z } from 'zod';

type Issue = z.core.$ZodIssue;

/** One line for one bad option: its path, its value unless it may be a secret, its origin, and the accepted values. */
export function explainIssue(issue: Issue, options: unknown, variable?: string): string {
  const { path, expected, badKey, unknownKeys } = innermost(issue);
  if (unknownKeys !== undefined) {
    const names = unknownKeys.map((key) => [...path, key].join('.')).join(', ');
    return `XPayAuthModule option ${names}: there is no such option. Check its spelling and the group it stands in.`;
  }
  const origin = variable === undefined ? '' : ` (from ${variable})`;
  const shown = badKey === undefined ? show(path, options) : JSON.stringify(String(badKey));
  return `XPayAuthModule option ${path.join('.')}${origin}: ${shown} is not allowed; expected ${expected}.`;
}

interface Explained {
  readonly path: readonly PropertyKey[];
  readonly expected: string;
  /** Set if the name of an option is bad, not its value. */
  readonly badKey?: PropertyKey;
  readonly unknownKeys?: readonly string[];
}

/** Reports the deepest branch of a union, because it is the most likely one. Reports all branches of the same depth. */
function innermost(issue: Issue, parents: readonly PropertyKey[] = []): Explained {
  const path = [...parents, ...issue.path];
  if (issue.code === 'unrecognized_keys') return { path, expected: '', unknownKeys: issue.keys };
  if (issue.code === 'invalid_key') {
    const expected = expectation(issue.issues[0]?.message ?? issue.message);
    return { path: path.slice(0, -1), expected, badKey: path.at(-1) ?? '' };
  }
  if (issue.code === 'invalid_union' && issue.message === 'Invalid input') {
    const branches = issue.errors.flatMap((issues) => issues.map((inner) => innermost(inner, path)));
    const furthest = Math.max(...branches.map(depth));
    const [first, ...others] = branches.filter((branch) => depth(branch) === furthest);
    if (first !== undefined)
      return { ...first, expected: [first, ...others].map(({ expected }) => expected).join(' or ') };
  }
  return { path, expected: expectation(issue.message) };
}

function depth({ path, unknownKeys }: Explained): number {
  return path.length + (unknownKeys === undefined ? 0 : 1);
}

/** zod's message without the part that repeats the value. */
function expectation(message: string): string {
  return message
    .replace(/^(?:Invalid input|Invalid option|Too small|Too big): /, '')
    .replace(/, received .*$/, '')
    .replace(/^expected /, '');
}

/** Several variables on one line of a `.env` are read as one value, which holds the secrets of the others. */
export const ASSIGNMENT = /\w=/;

/** The value at a path of the options. */
export function valueAt(path: readonly PropertyKey[], options: unknown): unknown {
  return path.reduce(
    (value, key) => (value as Readonly<Record<PropertyKey, unknown>> | null | undefined)?.[key],
    options,
  );
}

function show(path: readonly PropertyKey[], options: unknown): string {
  if (path[0] === 'credentials' || path.some((key) => /secret|password|key/i.test(String(key)))) return '[redacted]';
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
