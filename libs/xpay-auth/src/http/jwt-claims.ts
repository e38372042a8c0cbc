import { parseObject } from '../core/json-object.js';
import { decodeText } from './body.js';

/**
 * What a JWT says of itself, or `undefined` when the token is no JWT with claims in UTF-8. Its signature is *not* checked: the upstreams sign
 * with keys that nobody else holds. So a claim is a hint of what the upstream just told us, and of a token that somebody
 * else presents it proves nothing at all.
 */
export function claimsOf(token: string): Readonly<Record<string, unknown>> | undefined {
  const [, payload, ...rest] = token.split('.');
  if (payload === undefined || rest.length !== 1) return undefined;
  // UTF-8 by RFC 7519 §7.1.
  return parseObject(decodeText(Buffer.from(payload, 'base64url')) ?? '');
}
