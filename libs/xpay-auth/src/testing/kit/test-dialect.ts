import type { Dialect } from '../../core/ports.js';
import type { XPayTestUpstream } from './test-upstream.js';

/** The language of an {@link XPayTestUpstream}, in the place of the one that the app speaks in production. */
export function testDialect(spoken: Dialect, upstream: XPayTestUpstream): Dialect {
  const { name, accessTokenIsLongLivedSecret } = spoken;
  return {
    name,
    ...(accessTokenIsLongLivedSecret !== undefined && { accessTokenIsLongLivedSecret }),
    authenticate: async (credentials, _, purpose) =>
      purpose === 'own token' ? upstream.grantOwnToken() : upstream.grantTo(credentials),
    api: {
      encode: ({ method, path, body }) => ({
        method,
        path,
        ...(body !== undefined && { body: JSON.stringify(body) }),
      }),
      decode: ({ text }) => ({ kind: 'data', data: JSON.parse(text) as unknown }),
    },
  };
}
