import type { Clock } from '../core/clock.js';
import { XPayAuthError } from '../core/errors.js';
import type { LogPage, LogRecord, Store } from '../core/store.js';
import { type OwedAction, OwedActions } from './owed-actions.js';

/** A position in the order of the revocations of all instances. */
export interface LogPosition {
  /** Changes when the store has lost its content. Positions of an earlier epoch are void. */
  readonly epoch: string;
  /** The position of the newest known record. */
  readonly position: number;
}

export interface RevocationLogParts {
  readonly store: Store;
  readonly clock: Clock;
  /** Instances with the same scope share their revocations. */
  readonly scope: string;
  /** Another instance has revoked this user. */
  readonly onUser: (username: string) => void;
  /** All users were revoked, or the log can no longer tell which ones. */
  readonly onEverybody: () => void;
  /** The store has lost its data. Returns what has to be written again. */
  readonly onDataLost?: () => () => Promise<void>;
  /** The log was stopped before the store was available again. The other instances never learn of these. */
  readonly onLost?: (revokedUsers: readonly string[], logouts: number) => void;
}

/** Ms between two reads of the log, because notifications may be lost: half of the second within which all must know. */
const POLL_EVERY_MS = 500;
/** The maximum age in ms of the view that a session is judged by. */
const OLDEST_VIEW_MS = 1_000;
/** Stands for all users in place of a user's index. */
const EVERYBODY = '*';
/** The most revocations kept for an unavailable store; beyond it all users are revoked. */
const MOST_REVOCATIONS = 1_000;
/** The most logouts kept for an unavailable store; beyond it a logout is rejected and not kept. */
const MOST_LOGOUTS = 10_000;

/**
 * The revocations of all instances in one order: a log in the store that every instance follows. It names users by an index
 * that survives a rotation of keys. When the log overflows or is lost, all users log in again.
 */
export class RevocationLog {
  #epoch: string | undefined;
  /** Epochs that are over. */
  readonly #left = new Set<string>();
  #newest = 0;
  #oldest = 1;
  #everybodyAt = 0;
  /** Position of the latest revocation, by the user's name in the log. */
  readonly #users = new Map<string, number>();
  /** Positions of revocations made here and not read back yet, with their epoch. They are already applied. */
  readonly #own = new Map<number, string>();
  /** The number of revocations made here that are not in the log yet, by index. */
  readonly #pending = new Map<string, number>();
  /** The time of the last read, on the monotonic clock. */
  #viewedAt = -Infinity;
  #looking: Promise<void> | undefined;
  readonly #owedRevocations = new OwedActions();
  readonly #owedLogouts = new OwedActions();
  readonly #owedData = new OwedActions();
  #stopped = false;
  #cancel: () => void = () => undefined;
  readonly #unsubscribe: () => void;

  constructor(private readonly parts: RevocationLogParts) {
    this.#unsubscribe = parts.store.subscribe(this.#topic, () => void this.catchUp().catch(() => undefined));
    void this.#follow();
  }

  /** The name of a user in the log: the same on every instance, and with rotated keys. */
  indexOf(username: string): string {
    return this.parts.store.indexOf(`user ${username}`);
  }

  /** Returns the current position. Read it after {@link catchUp} and before the upstream is called. */
  position(): LogPosition {
    return { epoch: this.#epoch ?? '', position: this.#newest };
  }

  /** Whether this user was revoked after this position. */
  ended({ epoch, position }: LogPosition, index: string): boolean {
    if (this.#pending.has(index) || this.#pending.has(EVERYBODY)) return true;
    const revokedAt = this.#users.get(index) ?? 0;
    // The records between this position and the oldest one are gone, and with them the users they named.
    const overflowed = position < this.#oldest - 1;
    return epoch !== this.#epoch || overflowed || Math.max(revokedAt, this.#everybodyAt) > position;
  }

  /** Reads the log if the view is older than a second. Throws `store_unavailable`. */
  async fresh(): Promise<void> {
    if (this.parts.clock.monotonic() - this.#viewedAt >= OLDEST_VIEW_MS) await this.catchUp();
  }

  /** Reads new records. Throws `store_unavailable`. */
  async catchUp(): Promise<void> {
    // A caller that arrives during a read needs one that starts later.
    if (this.#looking !== undefined) await this.#looking.catch(() => undefined);
    this.#looking ??= this.#look().finally(() => (this.#looking = undefined));
    await this.#looking;
  }

  /** Notifies all instances. If the store is unavailable, throws `store_unavailable` and notifies them later. */
  revokeUser(username: string): Promise<void> {
    return this.#revoke(this.indexOf(username), username);
  }

  /** Like {@link revokeUser}, for all users. */
  revokeAll(): Promise<void> {
    return this.#revoke(EVERYBODY, EVERYBODY);
  }

  /**
   * Runs a logout now. If the store is unavailable, throws and runs it again when the store is back; `onDropped`: too many
   * logouts wait already, so this one was not kept.
   */
  async logout(run: () => Promise<void>, onDropped: () => void): Promise<void> {
    try {
      await run();
    } catch (failure) {
      if (this.#owedLogouts.size < MOST_LOGOUTS) {
        this.#owe(this.#owedLogouts, { run });
        throw failure;
      }
      onDropped();
      const message = `${MOST_LOGOUTS} logouts wait for the shared store, so this one was not kept. Repeat it later.`;
      throw new XPayAuthError('store_unavailable', message, { cause: failure, retryAfterMs: 1_000 });
    }
  }

  /** Stops following the log, after one more attempt to send what waits for the store. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel();
    this.#unsubscribe();
    await Promise.all([this.#owedRevocations.run(), this.#owedLogouts.run()]);
    this.#reportLost();
  }

  get #topic(): string {
    return `revocations ${this.parts.scope}`;
  }

  async #follow(): Promise<void> {
    await this.catchUp().catch(() => undefined);
    if (!this.#stopped) this.#cancel = this.parts.clock.setTimer(() => void this.#follow(), POLL_EVERY_MS);
  }

  async #revoke(index: string, value: string): Promise<void> {
    this.#pending.set(index, (this.#pending.get(index) ?? 0) + 1);
    const run = async (): Promise<void> => {
      await this.#append(index, value);
      this.#settled(index);
    };
    try {
      await run();
    } catch (failure) {
      this.#owe(this.#owedRevocations, { run, revokes: value });
      if (this.#owedRevocations.size > MOST_REVOCATIONS) {
        this.#owedRevocations.clear();
        this.#owedRevocations.add({ run: () => this.#everybodyAtOnce(), revokes: EVERYBODY });
      }
      throw failure;
    }
  }

  #owe(owed: OwedActions, action: OwedAction): void {
    owed.add(action);
    if (this.#stopped) this.#reportLost();
  }

  #reportLost(): void {
    const [users, logouts] = [this.#owedRevocations.revoked, this.#owedLogouts.size];
    if (users.length + logouts > 0) this.parts.onLost?.(users, logouts);
    for (const owed of [this.#owedRevocations, this.#owedLogouts]) owed.clear();
  }

  /** Revokes all users in place of each one. */
  async #everybodyAtOnce(): Promise<void> {
    await this.#append(EVERYBODY, EVERYBODY);
    this.#pending.clear();
  }

  #settled(index: string): void {
    const left = (this.#pending.get(index) ?? 1) - 1;
    if (left > 0) this.#pending.set(index, left);
    else this.#pending.delete(index);
  }

  async #append(index: string, value: string): Promise<void> {
    const { store, scope } = this.parts;
    const { epoch, newest } = await store.append(scope, { index, value });
    // Already applied here: it must not end a login that follows.
    if (epoch !== this.#epoch || newest > this.#newest) this.#own.set(newest, epoch);
    await this.catchUp();
    void store.publish(this.#topic, 'revoked').catch(() => undefined);
  }

  async #look(): Promise<void> {
    const { store, scope, clock } = this.parts;
    const askedAt = clock.monotonic();
    let after = this.#newest;
    let page = await store.readLog(scope, after);
    // A new epoch is read from its beginning, and again, because the store may change between two reads.
    while (this.#isOlder(page) || (after > 0 && page.epoch !== this.#epoch)) {
      if (this.#isOlder(page)) await store.renewEpoch(scope, page.epoch);
      after = 0;
      page = await store.readLog(scope, after);
    }
    this.#apply(page);
    this.#viewedAt = askedAt;
    void this.#owedRevocations.run();
    void this.#owedLogouts.run();
    void this.#owedData.run();
  }

  /** Whether the store has lost revocations that it had: an old copy of it was restored. */
  #isOlder({ epoch, newest }: LogPage): boolean {
    return (epoch === this.#epoch && newest < this.#newest) || this.#left.has(epoch);
  }

  #apply(page: LogPage): void {
    const isLost = this.#epoch !== undefined && page.epoch !== this.#epoch;
    const isTorn = !isLost && this.#epoch !== undefined && page.oldest > this.#newest + 1;
    if (isLost) {
      this.#left.add(this.#epoch ?? '');
      this.#users.clear();
      this.#everybodyAt = 0;
      for (const [position, epoch] of this.#own) if (epoch !== page.epoch) this.#own.delete(position);
      this.#restoreData();
    }
    this.#epoch = page.epoch;
    this.#newest = page.newest;
    this.#oldest = page.oldest;
    for (const [user, position] of this.#users) if (position < page.oldest) this.#users.delete(user);
    if (isLost || isTorn) this.parts.onEverybody();
    for (const record of page.records) this.#hear(record);
  }

  /** Writes lost data again, here and, with a notification, on the other instances. */
  #restoreData(): void {
    const { store, onDataLost } = this.parts;
    if (onDataLost === undefined) return;
    this.#owedData.add({ run: onDataLost() });
    void store.publish(this.#topic, 'lost').catch(() => undefined);
  }

  #hear({ position, index = EVERYBODY, value }: LogRecord): void {
    if (index === EVERYBODY) this.#everybodyAt = position;
    else this.#users.set(index, position);
    if (this.#own.get(position) === this.#epoch && this.#own.delete(position)) return;
    // The name is unknown or cannot be decrypted any more, so all users are revoked.
    if (index === EVERYBODY || value === undefined) this.parts.onEverybody();
    else this.parts.onUser(value);
  }
}
