import { AccessToken } from '../core/access-token.js';
import type { Obtained } from './grant-source.js';

/** A token as it is written into the store: without the refresh token it may have come with. */
export function encodeToken({ accessToken, username, scopes, isAPI }: Obtained, lifeMs: number): string {
  const { value, expiresAt } = accessToken;
  return JSON.stringify({ value, expiresAt, tokenScopes: accessToken.scopes, username, scopes, isAPI, lifeMs });
}

/** The store's seal vouches that one of us has written it. */
export function decodeToken(text: string): Obtained & { readonly lifeMs: number } {
  const { value, expiresAt, tokenScopes, ...rest } = JSON.parse(text) as {
    value: string;
    expiresAt?: number;
    tokenScopes: string[];
    username: string;
    scopes: string[];
    isAPI: boolean;
    lifeMs: number;
  };
  return { ...rest, accessToken: new AccessToken(value, { expiresAt, scopes: tokenScopes }) };
}
