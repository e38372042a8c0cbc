/** An account of an emulated upstream; in every dialect it is called by the same two names. */
export interface EmulatedAccount {
  /** What the account logs in with: a user name or an e-mail address. */
  readonly username: string;
  /** Its password or secret key. Never shown in the ledger. */
  readonly secretKey: string;
}

const MOST_SEARCHED_SECRETS = 100;
const SHORTEST_SEARCHED_SECRET = 6;

/** Who may log in. */
export class AccountBook<A extends EmulatedAccount> {
  readonly #accounts = new Map<string, A>();
  /** Every key there ever was: one that has been changed is still nobody's business. */
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

  /** The account both belong to, or `undefined`. */
  check(username: unknown, secretKey: unknown): A | undefined {
    const account = this.find(username);
    return account !== undefined && account.secretKey === secretKey ? account : undefined;
  }

  setSecret(username: string, secretKey: string): void {
    const account = this.#accounts.get(username);
    if (account === undefined) throw new Error(`the emulator has no account named ${username}`);
    this.put({ ...account, secretKey });
  }

  /** Is the text some account's key, or does it hold one? Short keys, and those of big crowds, only count as a whole. */
  holdsSecret(text: string): boolean {
    if (this.#secrets.has(text)) return true;
    if (this.#secrets.size > MOST_SEARCHED_SECRETS) return false;
    for (const secret of this.#secrets)
      if (secret.length >= SHORTEST_SEARCHED_SECRET && text.includes(secret)) return true;
    return false;
  }
}
