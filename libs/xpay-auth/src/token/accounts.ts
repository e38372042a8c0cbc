import { HttpException } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { type Credentials, isTooLong } from '../core/credentials.js';
import { XPayAuthError, shuttingDown } from '../core/errors.js';
import type { TokenEvent } from '../core/token-events.js';
import type { CachedToken } from './cached-token.js';
import { AccountRefusal } from './grant-provider.js';
import { type TokenChainParts, createTokenChain } from './token-chain.js';

export interface AccountsParts extends Omit<TokenChainParts, 'credentials' | 'option' | 'emit' | 'changed' | 'stop'> {
  /** Returns the credentials of an account; `undefined` if there is no such account. */
  readonly credentials: (id: string) => Credentials | undefined | Promise<Credentials | undefined>;
  /** Returns the share of the lifetime after which the token of this account is renewed. */
  readonly refreshAt: (id: string) => number;
  /** Maximum number of tokens in memory. */
  readonly maxEntries: number;
  readonly emit: (event: TokenEvent) => void;
}

/** Minimum size of the table of evicted accounts with failures or rejected tokens. */
const MIN_FAILED = 10_000;

/** Stands for every id that no account can have. */
const NO_ID = '';

/** The token chains of the accounts that are known only at run time. Each account has a separate chain. */
export class Accounts {
  /** The chains with a token. */
  readonly #held: LRUCache<string, CachedToken>;
  /** The chains with an attempt in progress that are not among {@link #held}. Every attempt ends within its deadline. */
  readonly #busy = new Map<string, CachedToken>();
  /** The chains without a token that delay further attempts because of failures or rejected tokens. */
  readonly #failed: LRUCache<string, CachedToken>;
  readonly #stop = new AbortController();

  constructor(private readonly parts: AccountsParts) {
    const { maxEntries } = parts;
    this.#held = new LRUCache({
      max: maxEntries,
      dispose: (chain, id, reason) => reason === 'evict' && this.#evict(id, chain),
    });
    this.#failed = new LRUCache({ max: Math.max(MIN_FAILED, maxEntries) });
  }

  /**
   * Returns the chain of an account. An account without a chain gets a new one, which is kept from its first attempt on. An id
   * without an account is therefore never kept.
   */
  of(id: unknown): CachedToken {
    const known = isAccountId(id) ? id : NO_ID;
    return this.#find(known) ?? this.#create(known);
  }

  /** Ends every attempt and every wait with `shutting_down`. */
  stop(): void {
    this.#stop.abort(shuttingDown());
    for (const chains of [this.#held, this.#busy, this.#failed]) for (const chain of chains.values()) chain.stop();
  }

  #find(id: string): CachedToken | undefined {
    return this.#held.get(id) ?? this.#busy.get(id) ?? this.#failed.get(id);
  }

  #create(id: string): CachedToken {
    const { clock, policy, authenticate, refresh, random, share, instrumentation, refreshAt } = this.parts;
    const chain: CachedToken = createTokenChain({
      clock,
      policy: { ...policy, refreshAt: refreshAt(id) },
      authenticate,
      refresh,
      random,
      share,
      instrumentation,
      credentials: () => this.#credentialsOf(id),
      option: 'accounts.credentials',
      emit: (event) => this.parts.emit({ ...event, account: id }),
      changed: () => this.#changed(id, chain),
      stop: this.#stop,
    });
    return chain;
  }

  /** Throws `AccountRefusal` if there is no such account. */
  async #credentialsOf(id: string): Promise<Credentials> {
    const found = id === NO_ID ? undefined : await this.#read(id);
    if (found !== undefined && found !== null) return found;
    const message = 'The option `accounts.credentials` has no account for this id';
    throw new AccountRefusal(new XPayAuthError('unknown_account', message), true);
  }

  async #read(id: string): Promise<Credentials | null | undefined> {
    try {
      return await this.parts.credentials(id);
    } catch (thrown) {
      if (!(thrown instanceof HttpException)) throw thrown;
      throw new AccountRefusal(thrown, thrown instanceof XPayAuthError && thrown.code === 'unknown_account');
    }
  }

  /** Moves a chain to its table after an attempt has started or ended. */
  #changed(id: string, chain: CachedToken): void {
    const current = this.#find(id) ?? chain;
    // The chain was evicted from all tables, and the account has another one by now.
    if (current !== chain) return chain.isBusy ? undefined : chain.evict();
    const isHeld = this.#held.peek(id) === chain;
    if (chain.isBusy) return isHeld ? undefined : void this.#busy.set(id, chain);
    this.#busy.delete(id);
    this.#failed.delete(id);
    if (chain.hasToken) return void this.#held.set(id, chain);
    this.#held.delete(id);
    this.#evict(id, chain);
  }

  /** Removes the token of an account from memory, after the attempt in progress if there is one. Keeps failures and rejections. */
  #evict(id: string, chain: CachedToken): void {
    if (chain.isBusy) return void this.#busy.set(id, chain);
    chain.evict();
    if (chain.hasFailed) this.#failed.set(id, chain);
  }
}

/** Whether an app may have an account with this id. Ids may come from a request, so they may have any type. */
function isAccountId(id: unknown): id is string {
  return typeof id === 'string' && id !== NO_ID && id.isWellFormed() && !isTooLong(id);
}
