/** What an emulator remembers about a token it has minted. */
export interface TokenRecord {
  readonly username: string;
  readonly kind: 'access' | 'refresh';
  /** Ms since the epoch on the emulator's clock; `Infinity`: never. */
  readonly expiresAt: number;
}

/** More tokens than this are not remembered at once; the oldest are forgotten, hence refused. */
const MOST_TOKENS = 100_000;

/** The tokens an upstream takes. A token minted again with the same bytes is live again. */
export class TokenBook {
  readonly #tokens = new Map<string, TokenRecord>();

  put(token: string, record: TokenRecord): void {
    this.#tokens.delete(token);
    this.#tokens.set(token, record);
    for (const oldest of this.#tokens.keys()) {
      if (this.#tokens.size <= MOST_TOKENS) break;
      this.#tokens.delete(oldest);
    }
  }

  /** The record, expired or not; `undefined` when it was revoked or never minted. */
  find(token: string): TokenRecord | undefined {
    return this.#tokens.get(token);
  }

  /** The record of a token that is neither expired nor revoked. */
  live(token: string, now: number): TokenRecord | undefined {
    const record = this.#tokens.get(token);
    return record !== undefined && now < record.expiresAt ? record : undefined;
  }

  revoke(token: string): boolean {
    return this.#tokens.delete(token);
  }

  /** Revokes one account's tokens, or everybody's; returns how many there were. */
  revokeAll(username?: string): number {
    const before = this.#tokens.size;
    for (const [token, record] of this.#tokens)
      if (username === undefined || record.username === username) this.#tokens.delete(token);
    return before - this.#tokens.size;
  }
}
