import type { Clock } from '../core/clock.js';
import { XPayAuthError } from '../core/errors.js';
import type { LogPage, LogRecord, Store } from '../core/store.js';
import { type OwedAction, OwedActions } from './owed-actions.js';

/** A position in the order of the revocations of all instances. */
export interface LogPosition {
  /** Changes when the store has lost its data. Positions of an earlier epoch are no longer valid. */
  readonly epoch: string;
  /** The position of the newest known record. */
  readonly position: number;
}

export interface RevocationLogParts {
  readonly store: Store;
  readonly clock: Clock;
  /** Instances with the same scope share their revocations. */
  readonly scope: string;
  /** Called when another instance has revoked this user. */
  readonly onUser: (username: string) => void;
  /** Called when all users were revoked, or when the log no longer shows which users were revoked. */
  readonly onEverybody: () => void;
  /** Called when the store has lost its data. Returns a function that writes the data of this instance to the store again. */
  readonly onDataLost?: () => () => Promise<void>;
  /**
   * Called when the log was stopped before the store was available again. The other instances will not receive these revocations
   * and logouts.
   */
  readonly onLost?: (revokedUsers: readonly string[], logouts: number) => void;
}

/**
 * Ms between two reads of the log. The log is read at intervals, because notifications may be lost. All instances must know a
 * revocation within one second, and the interval is half of this time.
 */
const POLL_EVERY_MS = 500;
/** Maximum ms since the last read of the log when an instance decides whether a session was revoked. */
const OLDEST_VIEW_MS = 1_000;
/** Means all users if used as a user's index. */
const EVERYBODY = '*';
/** Maximum number of revocations that wait for an unavailable store. Beyond the maximum, all users are revoked instead. */
const MOST_REVOCATIONS = 1_000;
/** Maximum number of logouts that wait for an unavailable store. Beyond the maximum, a logout is rejected and does not wait. */
const MOST_LOGOUTS = 10_000;

/**
 * The revocations of all instances, in one order. They are the records of a log in the store, which every instance reads. The log
 * identifies users by an index that does not change when keys are rotated. If an instance has missed records of the log, because
 * the log overflowed or was lost, all users must log in again.
 */
export class RevocationLog {
  #epoch: string | undefined;
  /** The epochs before the current one. */
  readonly #left = new Set<string>();
  #newest = 0;
  #oldest = 1;
  #everybodyAt = 0;
  /** Position of the latest revocation of each user, by the user's index. */
  readonly #users = new Map<string, number>();
  /**
   * Positions and epochs of the revocations that this instance has appended and not read back yet. Their effects are already
   * applied.
   */
  readonly #own = new Map<number, string>();
  /** Number of revocations that this instance has begun and not appended to the log yet, by index. */
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

  /** Returns the index of a user in the log. The index is the same on all instances and does not change when keys are rotated. */
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
    // The records after this position are incomplete, so they no longer show which users were revoked.
    const overflowed = position < this.#oldest - 1;
    return epoch !== this.#epoch || overflowed || Math.max(revokedAt, this.#everybodyAt) > position;
  }

  /** Reads the log if the last read is more than one second ago. Throws `store_unavailable`. */
  async fresh(): Promise<void> {
    if (this.parts.clock.monotonic() - this.#viewedAt >= OLDEST_VIEW_MS) await this.catchUp();
  }

  /** Reads new records. Throws `store_unavailable`. */
  async catchUp(): Promise<void> {
    // If a read is in progress, wait for it and read again, because the read in progress may have started before the newest
    // revocation.
    if (this.#looking !== undefined) await this.#looking.catch(() => undefined);
    this.#looking ??= this.#look().finally(() => (this.#looking = undefined));
    await this.#looking;
  }

  /**
   * Appends the revocation of a user to the log and notifies all instances. If the store is unavailable, throws
   * `store_unavailable`, and repeats the append when the store is available again.
   */
  revokeUser(username: string): Promise<void> {
    return this.#revoke(this.indexOf(username), username);
  }

  /** Like {@link revokeUser}, for all users. */
  revokeAll(): Promise<void> {
    return this.#revoke(EVERYBODY, EVERYBODY);
  }

  /**
   * Runs a logout now. If the store is unavailable, throws `store_unavailable`, and runs the logout again when the store is
   * available again. If too many logouts wait already, calls `onDropped` instead, and does not run the logout again.
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

  /** Stops reading the log, after one more attempt to send the waiting revocations and logouts to the store. */
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

  /** Revokes all users instead of the users whose revocations wait. */
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
    // The revocation is already applied on this instance. Reading it from the log must not end a later login.
    if (epoch !== this.#epoch || newest > this.#newest) this.#own.set(newest, epoch);
    await this.catchUp();
    void store.publish(this.#topic, 'revoked').catch(() => undefined);
  }

  async #look(): Promise<void> {
    const { store, scope, clock } = this.parts;
    const askedAt = clock.monotonic();
    let after = this.#newest;
    let page = await store.readLog(scope, after);
    // A new epoch is read from its beginning. The loop compares again after each read, because the store may change between two
    // reads.
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

  /** Whether the store has lost revocations, for example because an old copy of its data was restored. */
  #isOlder({ epoch, newest }: LogPage): boolean {
    return (epoch === this.#epoch && newest < this.#newest) || this.#left.has(epoch);
  }

  #apply(page: LogPage): void {
    const isLost = this.#epoch !== undefined && page.epoch !== this.#epoch;
    const isIncomplete = !isLost && this.#epoch !== undefined && page.oldest > this.#newest + 1;
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
    if (isLost || isIncomplete) this.parts.onEverybody();
    for (const record of page.records) this.#applyRecord(record);
  }

  /** Writes the data of this instance to the store again, and notifies the other instances so that they do the same. */
  #restoreData(): void {
    const { store, onDataLost } = this.parts;
    if (onDataLost === undefined) return;
    this.#owedData.add({ run: onDataLost() });
    void store.publish(this.#topic, 'lost').catch(() => undefined);
  }

  #applyRecord({ position, index = EVERYBODY, value }: LogRecord): void {
    if (index === EVERYBODY) this.#everybodyAt = position;
    else this.#users.set(index, position);
    if (this.#own.get(position) === this.#epoch && this.#own.delete(position)) return;
    // If the record names no user or cannot be decrypted, any user may have been revoked, so all users are revoked.
    if (index === EVERYBODY || value === undefined) this.parts.onEverybody();
    else this.parts.onUser(value);
  }
}
