/** RFC 6749 §3.3 `scope-token`, without the comma, which some dialects use as a separator. */
const ONE_SCOPE = /^[\x21\x23-\x2b\x2d-\x5b\x5d-\x7e]+$/;

/**
 * Returns the scopes in `?scope=`. Returns `undefined` for any other query: an empty scope, several scopes in one parameter
 * (separated by a comma or a space), or another parameter. Such a query is rejected, because a misspelt `?scopes=tme_admin`
 * must not accept every caller.
 */
export function requiredScopes(url: string): readonly string[] | undefined {
  // Platforms treat a fragment differently. Proxies do not send one.
  if (url.includes('#')) return undefined;
  const query = new URL(url, 'http://localhost').searchParams;
  const scopes: string[] = [];
  for (const [name, value] of query) {
    if (name !== 'scope' || !ONE_SCOPE.test(value)) return undefined;
    scopes.push(value);
  }
  return scopes;
}
