import { randomUUID } from 'node:crypto';
import { AccessToken } from '../core/credentials.js';
import { XPayAuthError, asXPayAuthError } from '../core/errors.js';
import type { ApiCall, ApiLanguage, UpstreamRequest } from '../core/ports.js';

/**
 * Encodes the body of a call, once, before it returns. The returned function creates the request with a token; every request
 * has the same body. Throws `configuration` for a body that the dialect cannot encode.
 */
export function encodeCall(api: ApiLanguage, call: ApiCall): (token: AccessToken) => UpstreamRequest {
  // It cannot be guessed, so wherever it is in the body, the dialect wrote a token there.
  const placeholder = new AccessToken(randomUUID());
  const { body: encodedBody } = encode(api, call, placeholder);
  return (token) => {
    const { body: _, ...request } = encode(api, { ...call, encodedBody }, token);
    if (encodedBody === undefined) return request;
    return { ...request, body: encodedBody.replaceAll(placeholder.value, () => token.value) };
  };
}

/** Every error of an encoder becomes `configuration`: nothing was sent, and no caller of the app is at fault. */
function encode(api: ApiLanguage, call: ApiCall, token: AccessToken): UpstreamRequest {
  try {
    return api.encode(call, token);
  } catch (thrown) {
    const { message, cause } = asXPayAuthError(thrown, 'configuration', 'The dialect cannot encode the call');
    const path = api.template?.(call.path);
    throw new XPayAuthError('configuration', `${call.method}${path === undefined ? '' : ` ${path}`}: ${message}`, {
      cause,
    });
  }
}
