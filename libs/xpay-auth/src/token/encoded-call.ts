import { randomUUID } from 'node:crypto';
import { AccessToken } from '../core/access-token.js';
import { XPayAuthError } from '../core/errors.js';
import { nameOnly } from '../core/name-only.js';
import type { ApiCall, ApiLanguage, UpstreamRequest } from '../core/ports.js';

/**
 * Encodes the body of a call, once and at once. Returns what makes its request with a token: the same body for every token.
 * Throws `configuration` for a body that the dialect cannot encode.
 */
export function encodeCall(api: ApiLanguage, call: ApiCall): (token: AccessToken) => UpstreamRequest {
  // Nobody can guess it, so where it is in the body, the dialect wrote a token there.
  const placeholder = new AccessToken(randomUUID());
  const { body: encodedBody } = encode(api, call, placeholder);
  return (token) => {
    const { body: _, ...request } = encode(api, { ...call, encodedBody }, token);
    if (encodedBody === undefined) return request;
    return { ...request, body: encodedBody.replaceAll(placeholder.value, () => token.value) };
  };
}

/** Whatever an encoder throws is a matter of configuration: nothing was sent, and no caller of the app is at fault. */
function encode(api: ApiLanguage, call: ApiCall, token: AccessToken): UpstreamRequest {
  try {
    return api.encode(call, token);
  } catch (thrown) {
    const isOurs = thrown instanceof XPayAuthError;
    const cause = isOurs ? thrown.cause : nameOnly(thrown);
    const reason = isOurs ? thrown.message : 'The dialect cannot encode the call';
    const path = api.template?.(call.path);
    throw new XPayAuthError('configuration', `${call.method}${path === undefined ? '' : ` ${path}`}: ${reason}`, {
      cause,
    });
  }
}
