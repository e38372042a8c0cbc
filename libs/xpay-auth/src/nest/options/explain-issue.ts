import type { z } from 'zod';

type Issue = z.core.$ZodIssue;

/** One line for one bad option: its path, its value unless it may be a secret, and what is allowed. */
export function explainIssue(issue: Issue, options: unknown): string {
  const { path, expected, unknownKeys } = innermost(issue);
  if (unknownKeys !== undefined) {
    const names = unknownKeys.map((key) => [...path, key].join('.')).join(', ');
    return `XPayAuthModule option ${names}: there is no such option. Check its spelling and the group it stands in.`;
  }
  return `XPayAuthModule option ${path.join('.')}: ${show(path, options)} is not allowed; ${expected}.`;
}

interface Explained {
  readonly path: readonly PropertyKey[];
  readonly expected: string;
  readonly unknownKeys?: readonly string[];
}

/** Of a union's branches, the one that came furthest is what the user meant. */
function innermost(issue: Issue, parents: readonly PropertyKey[] = []): Explained {
  const path = [...parents, ...issue.path];
  if (issue.code === 'unrecognized_keys') return { path, expected: '', unknownKeys: issue.keys };
  if (issue.code === 'invalid_union' && issue.message === 'Invalid input') {
    const branches = issue.errors.map((issues) => issues.map((inner) => innermost(inner, path)));
    const furthest = branches.flat().toSorted((one, other) => depth(other) - depth(one))[0];
    if (furthest !== undefined) return furthest;
  }
  return { path, expected: expectation(issue.message) };
}

function depth({ path, unknownKeys }: Explained): number {
  return path.length + (unknownKeys === undefined ? 0 : 1);
}

/** zod's message without the part that repeats the value. */
function expectation(message: string): string {
  const text = message
    .replace(/^(?:Invalid input|Invalid option|Too small|Too big): /, '')
    .replace(/, received .*$/, '');
  return text.startsWith('expected') ? text : `expected ${text}`;
}

function show(path: readonly PropertyKey[], options: unknown): string {
  if (path[0] === 'credentials' || path.some((key) => /secret|password|key/i.test(String(key)))) return '[redacted]';
  let value = options;
  for (const key of path) {
    value = typeof value === 'object' && value !== null ? (value as Record<PropertyKey, unknown>)[key] : undefined;
  }
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'an array' : 'an object';
  return typeof value === 'number' || typeof value === 'bigint'
    ? String(value)
    : (JSON.stringify(value) ?? 'undefined');
}
