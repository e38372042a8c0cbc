import { isObject } from './body.js';

/**
 * What a JWT says of itself, or `undefined` when the token is no JWT. Its signature is *not* checked: the upstreams sign
 * with keys that nobody else holds. So a claim is a hint of what the upstream just told us, and of a token that somebody
 * else presents it proves nothing at all.
 */
export function claimsOf(token: string): Readonly<Record<string, unknown>> | undefined {
  const [, payload, ...rest] = token.split('.');
  if (payload === undefined || rest.length !== 1) return undefined;
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
    return isObject(claims) ? claims : undefined;
  } catch {
    return undefined;
  }
}
