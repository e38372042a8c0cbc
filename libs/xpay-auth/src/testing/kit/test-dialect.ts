import type { Dialect } from '../../core/ports.js';
import type { XPayTestUpstream } from './test-upstream.js';

/** The dialect of an {@link XPayTestUpstream}, in place of the app's own. */
export function testDialect(spoken: Dialect, upstream: XPayTestUpstream): Dialect {
  const { name, accessTokenIsLongLivedSecret } = spoken;
  return {
    name,
    ...(accessTokenIsLongLivedSecret !== undefined && { accessTokenIsLongLivedSecret }),
    authenticate: async (credentials, _, purpose) =>
      purpose === 'own token' ? upstream.grantOwnToken() : upstream.grantTo(credentials),
    api: {
      encode(call, token) {
        const { method, path, body, encodedBody } = call;
        // What cannot be sent in production cannot be sent in a test.
        spoken.api.encode(call, token);
        return { method, path, ...(body !== undefined && { body: encodedBody ?? recorded(body) }) };
      },
      decode: ({ text }) => ({ kind: 'data', data: JSON.parse(text) as unknown }),
    },
  };
}

/** The body of a call as {@link XPayTestUpstream} records it: in JSON, whatever the production dialect sends. */
function recorded(body: unknown): string {
  const fields: unknown = body instanceof URLSearchParams ? Object.fromEntries(body) : body;
  return JSON.stringify(fields, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
}
