/**
 * Every attribute that this library puts on a metric or a span. What OpenTelemetry has a name for has that name
 * (semantic conventions 1.23 and later); the rest is `xpay_auth.…`.
 */
export const ATTRIBUTES = {
  instance: 'xpay_auth.instance',
  dialect: 'xpay_auth.dialect',
  outcome: 'xpay_auth.outcome',
  scheme: 'xpay_auth.scheme',
  operation: 'xpay_auth.operation',
  purpose: 'xpay_auth.purpose',
  cache: 'xpay_auth.cache',
  level: 'xpay_auth.cache.level',
  flight: 'xpay_auth.flight',
  limit: 'xpay_auth.limit',
  storeOperation: 'xpay_auth.store.operation',
  method: 'http.request.method',
  status: 'http.response.status_code',
  address: 'server.address',
  port: 'server.port',
  path: 'url.path',
  template: 'url.template',
  errorType: 'error.type',
} as const;

type Name = keyof typeof ATTRIBUTES;

/** Attributes by their short names; `undefined` is left out. */
export function attributes(
  values: Partial<Record<Name, string | number | undefined>>,
): Record<string, string | number> {
  const said = Object.entries(values).filter((entry): entry is [Name, string | number] => entry[1] !== undefined);
  return Object.fromEntries(said.map(([name, value]) => [ATTRIBUTES[name], value]));
}
