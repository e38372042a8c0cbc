/**
 * Does a path (without query) fit a pattern? `undefined` fits every path, `/client/wallets/*` everything below
 * `/client/wallets/`, anything else only itself.
 */
export function fitsPath(pattern: string | undefined, path: string): boolean {
  if (pattern === undefined) return true;
  return pattern.endsWith('*') ? path.startsWith(pattern.slice(0, -1)) : path === pattern;
}
