import type { Clock } from '../core/clock.js';
import type { LogPage, LogRecord, Store } from '../core/store.js';

/** A moment in the order of all instances' revocations. */
export interface LogPosition {
  /** Changes when the store has lost what it held; then nothing of before holds. */
  readonly epoch: string;
  /** Of the newest record that was known. */
  readonly position: number;
}

export interface RevocationLogParts {
  readonly store: Store;
  readonly clock: Clock;
  /** What makes two instances share their revocations. */
  readonly scope: string;
  /** Another instance has revoked this user. */
  readonly onUser: (username: string) => void;
  /** Everybody was revoked, or nobody can say any more who was. */
  readonly onEverybody: () => void;
}

/** News may be lost, so every instance looks for itself this often: half of the second within which all must know. */
const POLL_EVERY_MS = 500;
/** So old may a view be that a session is judged by. */
const OLDEST_VIEW_MS = 1_000;
/** In the place of a user: all of them. */
const EVERYBODY = '*';
/** What is to be made up for when the store is back; beyond it everybody is revoked. */
const MOST_OWED = 1_000;

/**
 * Who was revoked on any instance, in one order: a log in the store that every instance follows. Users stand in it under a
 * name that outlives a rotation of keys. When the log overflows, or was lost, everybody logs in again.
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
  /** Positions of what was revoked here and has not been read back yet: it is done already. */
  readonly #own = new Set<number>();
  /** How many revocations were asked for here and are not in the log yet, by name in the log. */
  readonly #pending = new Map<string, number>();
  /** When the view was asked for, on the monotonic clock. */
  #viewedAt = -Infinity;
  #looking: Promise<void> | undefined;
  /** What is to be done once the store is back. */
  #owed: (() => Promise<void>)[] = [];
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

  /** Where the view stands. To be taken after {@link catchUp} and before the upstream is asked. */
  position(): LogPosition {
    return { epoch: this.#epoch ?? '', position: this.#newest };
  }

  /** Whether what began at this mark is over for the user of this index. */
  ended({ epoch, position }: LogPosition, index: string): boolean {
    if (this.#pending.has(index) || this.#pending.has(EVERYBODY)) return true;
    const revokedAt = this.#users.get(index) ?? 0;
    // Records between this mark and the oldest one are gone: nobody knows whose they were.
    const overflowed = position < this.#oldest - 1;
    return epoch !== this.#epoch || overflowed || Math.max(revokedAt, this.#everybodyAt) > position;
  }

  /** Sees to it that the view is not older than a second. Throws `store_unavailable`. */
  async fresh(): Promise<void> {
    if (this.parts.clock.monotonic() - this.#viewedAt >= OLDEST_VIEW_MS) await this.catchUp();
  }

  /** Reads what is new. Throws `store_unavailable`. */
  async catchUp(): Promise<void> {
    // Who asks while another look is under way needs one that begins after that.
    if (this.#looking !== undefined) await this.#looking.catch(() => undefined);
    this.#looking ??= this.#look().finally(() => (this.#looking = undefined));
    await this.#looking;
  }

  /** Tells all instances. Throws `store_unavailable`, and tells them once the store is back. */
  revokeUser(username: string): Promise<void> {
    return this.#revoke(this.indexOf(username), username);
  }

  /** As {@link revokeUser}, of everybody. */
  revokeAll(): Promise<void> {
    return this.#revoke(EVERYBODY, EVERYBODY);
  }

  /** Does it now; or throws, and does it when the store is back. */
  async orRetryLater(action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (failure) {
      this.#owed.push(action);
      if (this.#owed.length > MOST_OWED) this.#owed = [() => this.#everybodyAtOnce()];
      throw failure;
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
    this.#unsubscribe();
  }

  get #topic(): string {
    return `revocations ${this.parts.scope}`;
  }

  async #follow(): Promise<void> {
    await this.catchUp().catch(() => undefined);
    if (!this.#stopped) this.#cancel = this.parts.clock.setTimer(() => void this.#follow(), POLL_EVERY_MS);
  }

  #revoke(index: string, value: string): Promise<void> {
    this.#pending.set(index, (this.#pending.get(index) ?? 0) + 1);
    return this.orRetryLater(async () => {
      await this.#append(index, value);
      this.#settled(index);
    });
  }

  /** One revocation of everybody for all that is owed. */
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
    const { newest } = await store.append(scope, { index, value });
    // This instance has done it already; a login that follows must not be ended by it.
    if (newest > this.#newest) this.#own.add(newest);
    await this.catchUp();
    void store.publish(this.#topic, 'revoked').catch(() => undefined);
  }

  async #look(): Promise<void> {
    const { store, scope, clock } = this.parts;
    const askedAt = clock.monotonic();
    let after = this.#newest;
    let page = await store.readLog(scope, after);
    // Another epoch is read from its beginning; and looked at again, since the store may change between two reads.
    while (this.#isOlder(page) || (after > 0 && page.epoch !== this.#epoch)) {
      if (this.#isOlder(page)) await store.renewEpoch(scope, page.epoch);
      after = 0;
      page = await store.readLog(scope, after);
    }
    this.#apply(page);
    this.#viewedAt = askedAt;
    for (const action of this.#owed.splice(0)) void this.orRetryLater(action).catch(() => undefined);
  }

  /** The store has lost revocations that it once had: an old copy of it was brought back. */
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
    }
    this.#epoch = page.epoch;
    this.#newest = page.newest;
    this.#oldest = page.oldest;
    for (const [user, position] of this.#users) if (position < page.oldest) this.#users.delete(user);
    if (isLost || isTorn) this.parts.onEverybody();
    for (const record of page.records) this.#hear(record);
  }

  #hear({ position, index, value }: LogRecord): void {
    if (index === EVERYBODY) this.#everybodyAt = position;
    else this.#users.set(index, position);
    if (this.#own.delete(position)) return;
    // A name that cannot be read any more: whoever it was, is over.
    if (index === EVERYBODY || value === undefined) this.parts.onEverybody();
    else this.parts.onUser(value);
  }
}
