import { createHmac } from 'node:crypto';

/** The record of an issued token. */
export interface TokenRecord {
  readonly username: string;
  readonly kind: 'access' | 'refresh';
  /** Ms since the epoch on the emulator's clock; `Infinity`: never. */
  readonly expiresAt: number;
}

/** Maximum number of records. Beyond it the oldest tokens are revoked. */
const MOST_TOKENS = 100_000;

/** The tokens that an upstream accepts. A token that is issued again with the same bytes is valid again. */
export class TokenBook {
  readonly #tokens = new Map<string, TokenRecord>();

  put(token: string, record: TokenRecord): void {
    this.#tokens.delete(token);
    this.#tokens.set(token, record);
    const [oldest] = this.#tokens.keys();
    if (this.#tokens.size > MOST_TOKENS && oldest !== undefined) this.#tokens.delete(oldest);
  }

  /** The record, expired or not; `undefined` if the token was revoked or never issued. */
  find(token: string | undefined): TokenRecord | undefined {
    return token === undefined ? undefined : this.#tokens.get(token);
  }

  /** The record of a token that is neither expired nor revoked. */
  live(token: string | undefined, now: number): TokenRecord | undefined {
    const record = this.find(token);
    return record !== undefined && now < record.expiresAt ? record : undefined;
  }

  revoke(token: string): boolean {
    return this.#tokens.delete(token);
  }

  /** Revokes the tokens of one account, or all tokens. Returns how many. */
  revokeAll(username?: string): number {
    const before = this.#tokens.size;
    for (const [token, record] of this.#tokens)
      if (username === undefined || record.username === username) this.#tokens.delete(token);
    return before - this.#tokens.size;
  }
}

/** The algorithms of JWTs, with Node's name of their hash. */
const HASHES = { HS256: 'sha256', HS512: 'sha512' } as const;

/** The header of a JWT (RFC 7519 §5). */
export type JwtHeader = { readonly alg: keyof typeof HASHES; readonly typ: 'JWT' };

/**
 * A compact JWT. Header and claims keep the order of their keys, because some clients recognise a vendor's tokens by that
 * order.
 */
export function signJwt(header: JwtHeader, claims: object, key: Buffer): string {
  const parts = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'));
  const signed = parts.join('.');
  return `${signed}.${createHmac(HASHES[header.alg], key).update(signed).digest('base64url')}`;
}
