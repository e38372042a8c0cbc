import { lengthPrefixed } from '../core/cache-key.js';
import type { Clock } from '../core/clock.js';
import type { XPayAuthError } from '../core/errors.js';
import { hardMargin } from '../core/freshness.js';
import type { Lease, Store } from '../core/store.js';
import { AccountChannel } from './account-channel.js';
import { Signal } from '../async/signal.js';
import type { Attempt, AttemptEnding, GrantSource, Grants, Obtained, TokenListener } from '../token/grant-source.js';
import type { Account } from '../token/app-account.js';
import { BackedOff } from '../async/backoff.js';
import { pauseLeft, readPause } from './shared-backoff.js';
import { SharedTurn, type Written, findOrLease } from './token-lease.js';
import { abortable, deadline } from '../async/deadline.js';
import { readToken } from './stored-token.js';

/** What instances must agree on who share their grants. */
export interface SharedGrantsParts {
  readonly store: Store;
  readonly clock: Clock;
  /** What makes two instances ask the same upstream for the same thing, beside the account. */
  readonly scope: readonly string[];
  /** Ms that one attempt at the upstream may take. */
  readonly deadlineMs: number;
  readonly hardMarginMs: number | undefined;
}

/** Beyond the deadline of a flight: what the store's own answers may take before and after it. */
const LEASE_SLACK_MS = 3_000;
/** News may be lost, so whoever waits looks for itself this often. */
const POLL_MS = 500;

/** What is known of the account as it is now. */
interface Known {
  readonly id: string;
  /** Of the newest token that was seen, held or not. */
  generation: number;
}

/** Under which name the token at hand is in the store. */
interface Held {
  readonly id: string;
  readonly generation: number;
}

/**
 * Gets grants for all instances at once: takes what another one has got, else gets the right to ask, asks, and hands it
 * round. Who does not get the right waits for who did. Without the store every instance goes on alone.
 */
export class SharedGrants implements Grants {
  /** Longer than a lease and a flight after it: who waits for somebody who died still gets its own turn. */
  readonly deadlineMs: number;
  readonly #leaseMs: number;
  readonly #bell: Signal;
  #known: Known | undefined;
  /** `undefined`: the token at hand was got alone, or there is none. */
  #held: Held | undefined;
  /** What {@link #held} will be, if the token source takes what it is brought. */
  #brought: Held | undefined;
  #turn: SharedTurn | undefined;
  /** Of the accounts that matter here: the present one, and that of the token at hand. */
  readonly #accounts: AccountChannel;

  constructor(
    private readonly parts: SharedGrantsParts,
    private readonly own: GrantSource,
    private readonly news: TokenListener,
  ) {
    this.#leaseMs = parts.deadlineMs + LEASE_SLACK_MS;
    this.deadlineMs = this.#leaseMs + this.#leaseMs;
    this.#bell = new Signal(parts.clock);
    this.#accounts = new AccountChannel(parts.store, (id, what, generation) => this.#hear(id, what, generation));
  }

  get refused(): GrantSource['refused'] {
    return this.own.refused;
  }

  rest(error: XPayAuthError, mono: number): number {
    return this.own.rest(error, mono);
  }

  async obtain(attempt: Attempt): Promise<Obtained> {
    const account = await this.own.read(attempt);
    return this.own.forAccount(account, attempt, (current) => this.#obtainFor(current, attempt));
  }

  async #obtainFor(account: Account, attempt: Attempt): Promise<Obtained> {
    const known = this.#know(account);
    const name = { kind: 'token', id: known.id } as const;
    const look = (): Promise<Obtained | undefined> => this.#look(known, account, attempt);
    for (;;) {
      attempt.signal.throwIfAborted();
      const rung = this.#bell.next();
      const taken = await findOrLease(this.parts.store, name, this.#leaseMs, look);
      if (taken.kind === 'found') return taken.found;
      if (taken.kind === 'acquired') return this.#ask(known, account, taken, attempt);
      if (taken.kind === 'alone') return this.#alone(account, attempt);
      await abortable(this.#bell.orTimeout(rung, Math.min(POLL_MS, taken.remainingMs + 1)), attempt.signal);
    }
  }

  /** What the others have got since. */
  async newer(): Promise<Obtained | undefined> {
    const known = this.#known;
    return known === undefined ? undefined : this.#adopt(known).catch(() => undefined);
  }

  /** The token source has made up its mind about what it was brought: the others are told, and get their turn. */
  ended(ending: AttemptEnding): void {
    const turn = this.#turn;
    this.#turn = undefined;
    if (ending.kind === 'held') {
      this.#held = this.#brought;
      this.#accounts.unfollowAllExcept(this.#known?.id, this.#held?.id);
      if (turn?.token !== undefined && turn.id === this.#known?.id) {
        this.#known.generation = Math.max(turn.lease.generation, this.#known.generation);
      }
    }
    void turn?.end(ending, this.refused.count, (written) => this.#tell(turn, written)).catch(() => undefined);
  }

  /** The upstream did not accept the token at hand: nobody takes it from the store any more. */
  rejected(): void {
    if (this.#held === undefined) return;
    const { id, generation } = this.#held;
    void this.parts.store
      .discard({ kind: 'token', id }, generation, this.#leaseMs)
      .then(() => this.#accounts.publish(id, 'rejected', generation))
      .catch(() => undefined);
  }

  stop(): void {
    this.#accounts.stop();
    this.ended({ kind: 'stopped' });
  }

  /** A token of the store; `undefined` when somebody has to ask for one. Throws `BackedOff`. */
  async #look(known: Known, account: Account, attempt: Attempt): Promise<Obtained | undefined> {
    const [adopted, pause] = await Promise.all([this.#adopt(known), readPause(this.parts.store, known.id)]);
    if (adopted !== undefined) return adopted;
    const left = pause && pauseLeft(pause, attempt.usableForMs);
    if (pause === undefined || left === undefined) return undefined;
    if (pause.refusals > 0) {
      const until = this.parts.clock.monotonic() + (left.retryAfterMs ?? 0);
      this.refused.learn(account.version, pause.refusals, left, until);
    }
    throw new BackedOff(left);
  }

  /** The token of the store, if it is newer than what we have had and good for a while. */
  async #adopt(known: Known): Promise<Obtained | undefined> {
    const { store, clock, hardMarginMs } = this.parts;
    const stored = await readToken(store, clock, known.id);
    if (stored === undefined || stored.generation <= known.generation) return undefined;
    const { token, generation, remainingMs } = stored;
    if (remainingMs <= hardMargin(token.lifeMs, hardMarginMs)) return undefined;
    known.generation = generation;
    if (this.news.isRejected(token.accessToken)) return undefined;
    this.#brought = { id: known.id, generation };
    return token;
  }

  async #ask(known: Known, account: Account, lease: Lease, attempt: Attempt): Promise<Obtained> {
    // The turn of credentials that were refused, and have changed since, is over.
    this.ended({ kind: 'stopped' });
    this.#turn = new SharedTurn(this.parts.store, known.id, lease);
    const token = await this.#alone(account, attempt);
    if (this.#turn?.lease === lease) this.#turn.token = token;
    this.#brought = { id: known.id, generation: lease.generation };
    return token;
  }

  async #alone(account: Account, attempt: Attempt): Promise<Obtained> {
    const within = { clock: this.parts.clock, ms: this.parts.deadlineMs, signal: attempt.signal };
    const token = await deadline(within, (signal) => this.own.obtainFor(account, { ...attempt, signal }));
    this.#brought = undefined;
    return token;
  }

  async #tell({ id, lease: { generation } }: SharedTurn, written: Written): Promise<void> {
    if (written === 'overtaken' && this.#known?.id === id) {
      this.#known.generation = -1;
      this.#held = undefined;
      this.news.newer();
    } else await this.#accounts.publish(id, written === 'pause' ? 'pause' : 'token', generation);
  }

  /** Another account, or another key of it, is another story: it has its own names. */
  #know({ credentials: { username, secretKey } }: Account): Known {
    const id = lengthPrefixed([...this.parts.scope, username, secretKey]);
    if (this.#known?.id === id) return this.#known;
    this.#known = { id, generation: -1 };
    this.#accounts.follow(id);
    return this.#known;
  }

  #hear(id: string, what: string, generation: number): void {
    this.#bell.notify();
    const [known, held] = [this.#known, this.#held];
    if (what === 'rejected' && id === held?.id && generation === held.generation) this.news.rejected();
    if (what === 'token' && id === known?.id && generation > known.generation) this.news.newer();
  }
}
