/**
 * All attributes of metrics and spans. Those in OpenTelemetry's semantic conventions (1.23 and later) have their name there,
 * the others are `xpay_auth.…`.
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

/** The short name of an attribute. */
export type AttributeName = keyof typeof ATTRIBUTES;

/** Attributes by their short names, without those that are `undefined`. */
export function attributes(
  values: Partial<Record<AttributeName, string | number | undefined>>,
): Record<string, string | number> {
  const given = Object.entries(values).filter(
    (entry): entry is [AttributeName, string | number] => entry[1] !== undefined,
  );
  return Object.fromEntries(given.map(([name, value]) => [ATTRIBUTES[name], value]));
}
