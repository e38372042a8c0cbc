import { AccessToken } from '../core/access-token.js';
import { isNumber, isOptionalNumber, isText, isTexts, parseObject } from '../core/json-object.js';
import type { Obtained } from './grant-source.js';

/** A token as it is written into the store: without the refresh token it may have come with. */
export function encodeToken({ accessToken, username, scopes, isAPI }: Obtained, lifeMs: number): string {
  const { value, expiresAt } = accessToken;
  return JSON.stringify({ value, expiresAt, tokenScopes: accessToken.scopes, username, scopes, isAPI, lifeMs });
}

/**
 * The store's seal vouches that one of us has written it; of which version of this library nobody knows. `undefined` for what
 * cannot be understood.
 */
export function decodeToken(text: string): (Obtained & { readonly lifeMs: number }) | undefined {
  const { value, expiresAt, tokenScopes, username, scopes, isAPI, lifeMs } = parseObject(text) ?? {};
  if (!isText(value) || value === '' || !isOptionalNumber(expiresAt) || !isTexts(tokenScopes)) return undefined;
  if (!isText(username) || !isTexts(scopes) || !isNumber(lifeMs) || !(lifeMs > 0)) return undefined;
  return {
    accessToken: new AccessToken(value, { expiresAt, scopes: tokenScopes }),
    username,
    scopes,
    isAPI: isAPI === true,
    lifeMs,
  };
}
