import { AccessToken } from '../core/access-token.js';
import type { Clock } from '../core/clock.js';
import { isNumber, isOptionalNumber, isText, isTexts, parseObject } from '../core/json-object.js';
import type { Store } from '../core/store.js';
import type { Obtained } from '../token/grant-source.js';

/** A token with the length of its whole life, in ms. */
export type LivingToken = Obtained & { readonly lifeMs: number };

/** A token of the store. */
export interface StoredToken {
  readonly token: LivingToken;
  readonly generation: number;
  /** Ms of its life that are left. */
  readonly remainingMs: number;
}

/** What the store has for this account, good or not. Throws `store_unavailable`. */
export async function readToken(store: Store, clock: Clock, id: string): Promise<StoredToken | undefined> {
  const askedAt = clock.monotonic();
  const entry = await store.read({ kind: 'token', id });
  const token = entry && decodeToken(entry.value);
  if (entry === undefined || token === undefined) return undefined;
  // The answer was under way for a while, and what it says may be as old as the question.
  const remainingMs = entry.remainingMs - (clock.monotonic() - askedAt);
  const ageMs = Math.max(0, token.lifeMs - remainingMs);
  return { token: { ...token, ageMs }, generation: entry.generation, remainingMs };
}

/** A token as it is written into the store: without the refresh token it may have come with. `lifeMs`: all of it. */
export function encodeToken({ accessToken, username, scopes, isAPI }: Obtained, lifeMs: number): string {
  const { value, expiresAt } = accessToken;
  return JSON.stringify({ value, expiresAt, tokenScopes: accessToken.scopes, username, scopes, isAPI, lifeMs });
}

/**
 * The store's seal vouches that one of us has written it; of which version of this library nobody knows. `undefined` for what
 * cannot be understood.
 */
export function decodeToken(text: string): LivingToken | undefined {
  const { value, expiresAt, tokenScopes, username, scopes, isAPI, lifeMs } = parseObject(text) ?? {};
  if (!isText(value) || value === '' || !isOptionalNumber(expiresAt) || !isTexts(tokenScopes)) return undefined;
  if (!isText(username) || !isTexts(scopes) || !isNumber(lifeMs) || !(lifeMs > 0)) return undefined;
  return {
    accessToken: new AccessToken(value, { expiresAt: expiresAt ?? undefined, scopes: tokenScopes }),
    username,
    scopes,
    isAPI: isAPI === true,
    lifeMs,
  };
}
