/**
 * The scopes that `?scope=` asks for, or `undefined` when the query asks for anything else: an empty scope, several in one
 * (a comma, a space), another parameter. Refusing is the safe side: a misspelt `?scopes=tme_admin` must not let everybody in.
 */
export function requiredScopes(url: string): readonly string[] | undefined {
  const query = new URL(url, 'http://localhost').searchParams;
  const scopes: string[] = [];
  for (const [name, value] of query) {
    if (name !== 'scope' || !/^[^\s,"\\]+$/.test(value)) return undefined;
    scopes.push(value);
  }
  return scopes;
}
