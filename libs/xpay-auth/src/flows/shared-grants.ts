import { lengthPrefixed } from '../core/cache-key.js';
import type { Clock } from '../core/clock.js';
import { XPayAuthError } from '../core/errors.js';
import { hardMargin } from '../core/freshness.js';
import type { EntryName, Lease, Store } from '../core/store.js';
import type { Attempt, Ending, GrantSource, Grants, Obtained, TokenNews } from './grant-source.js';
import type { Account } from './own-account.js';
import { HeldBack } from './pause.js';
import { Bell } from './bell.js';
import { type SharedPause, pauseLeft, readPause, writePause } from './shared-pause.js';
import { abortable, withinDeadline } from './single-flight.js';
import { decodeToken, encodeToken } from './stored-token.js';

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

/** The right to ask the upstream, until the token source says how it ended. */
interface Turn {
  readonly id: string;
  readonly lease: Lease;
  token?: Obtained;
}

/**
 * Gets grants for all instances at once: takes what another one has got, else gets the right to ask, asks, and hands it
 * round. Who does not get the right waits for who did. Without the store every instance goes on alone.
 */
export class SharedGrants implements Grants {
  /** Longer than a lease and a flight after it: who waits for somebody who died still gets its own turn. */
  readonly deadlineMs: number;
  readonly #leaseMs: number;
  readonly #bell: Bell;
  #known: Known | undefined;
  /** `undefined`: the token at hand was got alone, or there is none. */
  #held: Held | undefined;
  /** What {@link #held} will be, if the token source takes what it is brought. */
  #brought: Held | undefined;
  #turn: Turn | undefined;
  /** What ends the news of each account that matters here: the present one, and that of the token at hand. */
  readonly #news = new Map<string, () => void>();

  constructor(
    private readonly parts: SharedGrantsParts,
    private readonly own: GrantSource,
    private readonly news: TokenNews,
  ) {
    this.#leaseMs = parts.deadlineMs + LEASE_SLACK_MS;
    this.deadlineMs = this.#leaseMs + this.#leaseMs;
    this.#bell = new Bell(parts.clock);
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
    for (;;) {
      attempt.signal.throwIfAborted();
      const rung = this.#bell.next();
      const turn = await this.#take(known, account, attempt);
      if ('adopted' in turn) return turn.adopted;
      if (turn.kind === 'acquired') return this.#ask(known, account, turn, attempt);
      if (turn.kind === 'alone') return this.#alone(account, attempt);
      await abortable(this.#bell.orAfter(rung, Math.min(POLL_MS, turn.remainingMs + 1)), attempt.signal);
    }
  }

  /** What the others have got since. */
  async newer(): Promise<Obtained | undefined> {
    const known = this.#known;
    return known === undefined ? undefined : this.#adopt(known).catch(() => undefined);
  }

  /** The token source has made up its mind about what it was brought: the others are told, and get their turn. */
  ended(ending: Ending): void {
    const turn = this.#turn;
    this.#turn = undefined;
    if (ending.kind === 'held') {
      this.#held = this.#brought;
      this.#forgetOthers();
    }
    if (turn !== undefined) void this.#tell(turn, ending).catch(() => undefined);
  }

  /** The upstream did not accept the token at hand: nobody takes it from the store any more. */
  rejected(): void {
    if (this.#held === undefined) return;
    const { id, generation } = this.#held;
    void this.parts.store
      .discard({ kind: 'token', id }, generation, this.#leaseMs)
      .then(() => this.#publish(id, 'rejected', generation))
      .catch(() => undefined);
  }

  stop(): void {
    for (const forget of this.#news.values()) forget();
    this.ended({ kind: 'stopped' });
  }

  /** A token, the right to get one, or how long somebody else has that right. Throws `HeldBack`. */
  async #take(known: Known, account: Account, attempt: Attempt) {
    try {
      const adopted = await this.#look(known, account, attempt);
      if (adopted !== undefined) return { adopted };
      const lease = await this.parts.store.acquire(nameOf(known), this.#leaseMs);
      if (lease.kind === 'held') return lease;
      // Between looking and getting the right, who had it before may have brought what we are after.
      try {
        const late = await this.#look(known, account, attempt);
        if (late === undefined) return lease;
        void lease.release();
        return { adopted: late };
      } catch (thrown) {
        void lease.release();
        throw thrown;
      }
    } catch (thrown) {
      if (isUnavailable(thrown)) return { kind: 'alone' as const };
      throw thrown;
    }
  }

  async #look(known: Known, account: Account, attempt: Attempt): Promise<Obtained | undefined> {
    const [adopted, pause] = await Promise.all([this.#adopt(known), readPause(this.parts.store, known.id)]);
    if (adopted !== undefined) return adopted;
    const left = pause && pauseLeft(pause, attempt.usableForMs);
    if (pause === undefined || left === undefined) return undefined;
    if (pause.refusals > 0) this.#learn(account, pause, left);
    throw new HeldBack(left);
  }

  /** The token of the store, if it is newer than what we have had and good for a while. */
  async #adopt(known: Known): Promise<Obtained | undefined> {
    const { store, clock, hardMarginMs } = this.parts;
    const askedAt = clock.monotonic();
    const entry = await store.read(nameOf(known));
    if (entry === undefined || entry.generation <= known.generation) return undefined;
    const token = decodeToken(entry.value);
    if (token === undefined) return undefined;
    const { lifeMs } = token;
    // The answer was under way for a while, and what it says may be as old as the question.
    const remainingMs = entry.remainingMs - (clock.monotonic() - askedAt);
    if (remainingMs <= hardMargin(lifeMs, hardMarginMs)) return undefined;
    known.generation = entry.generation;
    if (this.news.isRejected(token.accessToken)) return undefined;
    this.#brought = { id: known.id, generation: entry.generation };
    return { ...token, ageMs: Math.max(0, lifeMs - remainingMs) };
  }

  async #ask(known: Known, account: Account, lease: Lease, attempt: Attempt): Promise<Obtained> {
    // The turn of credentials that were refused, and have changed since, is over.
    this.ended({ kind: 'stopped' });
    this.#turn = { id: known.id, lease };
    const token = await this.#alone(account, attempt);
    if (this.#turn?.lease === lease) this.#turn.token = token;
    this.#brought = { id: known.id, generation: lease.generation };
    return token;
  }

  async #alone(account: Account, attempt: Attempt): Promise<Obtained> {
    const limits = { clock: this.parts.clock, deadlineMs: this.parts.deadlineMs, stop: attempt.signal };
    const token = await withinDeadline(limits, (signal) => this.own.obtainFor(account, { ...attempt, signal }));
    this.#brought = undefined;
    return token;
  }

  async #tell({ id, lease, token }: Turn, ending: Ending): Promise<void> {
    const { store } = this.parts;
    const { generation } = lease;
    try {
      if (ending.kind === 'held' && token !== undefined) {
        const value = encodeToken(token, ending.lifeMs);
        if (this.#known?.id === id) this.#known.generation = Math.max(generation, this.#known.generation);
        const isNewest = await store.write({ kind: 'token', id }, { value, generation, lifeMs: ending.lifeMs });
        // We were held up past our lease, and somebody has got a newer one meanwhile.
        if (!isNewest && this.#known?.id === id) {
          this.#known.generation = -1;
          this.#held = undefined;
          this.news.newer();
        } else await this.#publish(id, 'token', generation);
      }
      if (ending.kind === 'failed' && (await writePause(store, id, generation, ending, this.refused.count))) {
        await this.#publish(id, 'pause', generation);
      }
    } finally {
      await lease.release();
    }
  }

  #learn({ version }: Account, { refusals }: SharedPause, left: XPayAuthError): void {
    this.refused.learn(version, refusals, left, this.parts.clock.monotonic() + (left.retryAfterMs ?? 0));
  }

  /** Another account, or another key of it, is another story: it has its own names. */
  #know({ credentials: { username, secretKey } }: Account): Known {
    const id = lengthPrefixed([...this.parts.scope, username, secretKey]);
    if (this.#known?.id === id) return this.#known;
    this.#known = { id, generation: -1 };
    if (!this.#news.has(id)) {
      this.#news.set(
        id,
        this.parts.store.subscribe(topicOf(id), (message) => this.#hear(id, message)),
      );
    }
    return this.#known;
  }

  #forgetOthers(): void {
    for (const [id, forget] of this.#news) {
      if (id === this.#known?.id || id === this.#held?.id) continue;
      forget();
      this.#news.delete(id);
    }
  }

  #hear(id: string, message: string): void {
    this.#bell.ring();
    const [what, number] = message.split(' ');
    const generation = Number(number);
    const [known, held] = [this.#known, this.#held];
    if (what === 'rejected' && id === held?.id && generation === held.generation) this.news.rejected();
    if (what === 'token' && id === known?.id && generation > known.generation) this.news.newer();
  }

  #publish(id: string, what: 'token' | 'rejected' | 'pause', generation: number): Promise<void> {
    return this.parts.store.publish(topicOf(id), `${what} ${generation}`);
  }
}

function nameOf({ id }: Known): EntryName {
  return { kind: 'token', id };
}

function topicOf(id: string): string {
  return `token ${id}`;
}

function isUnavailable(thrown: unknown): boolean {
  return thrown instanceof XPayAuthError && thrown.code === 'store_unavailable';
}
