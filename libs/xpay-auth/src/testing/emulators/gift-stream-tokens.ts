import { randomUUID } from 'node:crypto';
import { randomSigningKey, signJwt } from './jwt.js';

/** Whom a token is for. */
export interface GiftStreamHolder {
  readonly username: string;
  /** A number in the form of a string, as the vendor has it. */
  readonly clientId: string;
}

/** Three days, as in every sample of the vendor. */
const DEFAULT_LIFE_MS = 259_200_000;
const ISSUER = 'api.giftcard.appdeliverance.com';
const HEADER = { typ: 'JWT', alg: 'HS512' };

/**
 * Makes gift-stream's JWTs, claim for claim in the vendor's order.
 *
 * Source: https://developers.gift-stream.com/operation/operation-authenticate
 */
export class GiftStreamMint {
  readonly #signingKey = randomSigningKey(64);

  /** A refresh token: no `exp`, marked by `token-type`. */
  refreshToken(holder: GiftStreamHolder, now: number, distinct: boolean): string {
    const { iat, ...times } = issued(now);
    return this.#sign({
      iat,
      iss: ISSUER,
      ...times,
      userName: holder.username,
      clientId: holder.clientId,
      'token-type': 'REFRESH',
      ...(distinct && { jti: randomUUID() }),
    });
  }

  /** An access token, with the refresh token inside when there is one. `exp` is in whole seconds, a broken one rounded up. */
  accessToken(
    holder: GiftStreamHolder,
    now: number,
    lifeMs: number | undefined,
    refreshToken: string | undefined,
    distinct: boolean,
  ): { token: string; expiresAt: number } {
    const { iat, ...times } = issued(now);
    const exp = iat + Math.ceil((lifeMs ?? DEFAULT_LIFE_MS) / 1000);
    const token = this.#sign({
      iat,
      iss: ISSUER,
      ...times,
      exp,
      userName: holder.username,
      clientId: holder.clientId,
      ...(refreshToken !== undefined && { 'refresh-token': refreshToken }),
      ...(distinct && { jti: randomUUID() }),
    });
    return { token, expiresAt: exp * 1000 };
  }

  #sign(payload: Readonly<Record<string, unknown>>): string {
    return signJwt('sha512', HEADER, payload, this.#signingKey);
  }
}

function issued(now: number): { iat: number; nbf: number } {
  const iat = Math.floor(now / 1000);
  return { iat, nbf: iat };
}
