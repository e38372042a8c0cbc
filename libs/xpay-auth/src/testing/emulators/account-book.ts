/** An account of an emulated upstream, with the same two fields in every dialect. */
export interface EmulatedAccount {
  /** The user name or e-mail address of a login. */
  readonly username: string;
  /** Its password or secret key. Never shown in the ledger. */
  readonly secretKey: string;
}

const MOST_SEARCHED_SECRETS = 100;
const SHORTEST_SEARCHED_SECRET = 6;

/** The accounts that can log in. */
export class AccountBook<A extends EmulatedAccount> {
  readonly #accounts = new Map<string, A>();
  /** All keys so far. A key that has been changed is still a secret. */
  readonly #secrets = new Set<string>();

  get usernames(): readonly string[] {
    return [...this.#accounts.keys()];
  }

  put(account: A): void {
    this.#secrets.add(account.secretKey);
    this.#accounts.set(account.username, { ...account });
  }

  remove(username: string): boolean {
    return this.#accounts.delete(username);
  }

  find(username: unknown): A | undefined {
    return typeof username === 'string' ? this.#accounts.get(username) : undefined;
  }

  /** The account with this user name and key, or `undefined`. */
  check(username: unknown, secretKey: unknown): A | undefined {
    const account = this.find(username);
    return account !== undefined && account.secretKey === secretKey ? account : undefined;
  }

  setSecret(username: string, secretKey: string): void {
    const account = this.#accounts.get(username);
    if (account === undefined) throw new Error(`the emulator has no account named ${username}`);
    this.put({ ...account, secretKey });
  }

  /** Whether a text is or contains the key of an account. Short keys, and those of many accounts, must be the whole text. */
  holdsSecret(text: string): boolean {
    if (this.#secrets.has(text)) return true;
    if (this.#secrets.size > MOST_SEARCHED_SECRETS) return false;
    for (const secret of this.#secrets)
      if (secret.length >= SHORTEST_SEARCHED_SECRET && text.includes(secret)) return true;
    return false;
  }
}
