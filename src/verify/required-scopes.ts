/** RFC 6749 §3.3 `scope-token`, without the comma that joins several in other people's dialects. */
const ONE_SCOPE = /^[\x21\x23-\x2b\x2d-\x5b\x5d-\x7e]+$/;

/**
 * The scopes that `?scope=` asks for, or `undefined` when the query asks for anything else: an empty scope, several in one
 * (a comma, a space), another parameter. Refusing is the safe side: a misspelt `?scopes=tme_admin` must not let everybody in.
 */
export function requiredScopes(url: string): readonly string[] | undefined {
  // Platforms differ in what a fragment is to them; no proxy sends one.
  if (url.includes('#')) return undefined;
  const query = new URL(url, 'http://localhost').searchParams;
  const scopes: string[] = [];
  for (const [name, value] of query) {
    if (name !== 'scope' || !ONE_SCOPE.test(value)) return undefined;
    scopes.push(value);
  }
  return scopes;
}
