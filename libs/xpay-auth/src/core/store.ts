/**
 * The kind of an entry. Each kind is sealed with its own key, so an entry of one kind is never read as another.
 *
 * - `token`: the app token · `pause`: the backoff after a failure, with its reason
 * - `session`: a login · `seen`: the last use of a session · `sessions`: the list of a user's sessions
 * - `caller`: verified credentials
 * - `welcome`: an address from which a user has authenticated · `notice`: a message to the other instances
 * - `revocation`: a record of the log of revocations
 */
export type EntryKind =
  'token' | 'pause' | 'session' | 'seen' | 'sessions' | 'caller' | 'welcome' | 'notice' | 'revocation';

/** The name of an entry. `id` may be any text. It may be a secret, so a store must never show it. */
export interface EntryName {
  /** The kind of the entry. */
  readonly kind: EntryKind;
  /** Identifies the entry among those of its kind: a username, a digest, or an address. */
  readonly id: string;
}

/** An entry that was read. */
export interface Entry {
  /** The value as it was written. */
  readonly value: string;
  /** A number that increases with every new value of the same name; see {@link Lease.generation}. */
  readonly generation: number;
  /** Ms until the entry expires. The store measures this time, so the wall clocks of the instances have no effect. */
  readonly remainingMs: number;
}

/** A value to be written. */
export interface NewEntry {
  /** Any text. A store outside the process seals the value. */
  readonly value: string;
  /**
   * The generation of the lease under which the value was obtained; see {@link Lease.generation}. For a name without leases:
   * any whole number that increases, such as the time.
   */
  readonly generation: number;
  /** Lifetime in ms, by the store's own clock. */
  readonly lifeMs: number;
}

/** The exclusive right to renew an entry, for a limited time. */
export interface Lease {
  /** This instance has the lease. */
  readonly kind: 'acquired';
  /**
   * A number that is greater than those of all earlier leases and entries of this name, even after the store has lost its data.
   * The store refuses a value of an earlier holder after a later holder has written one.
   */
  readonly generation: number;
  /** Releases the lease, unless it has expired and belongs to another instance. Never rejects. */
  release(): Promise<void>;
}

/** Another holder has the lease. */
export interface Held {
  /** Another holder has the lease. */
  readonly kind: 'held';
  /** Ms until the lease expires. */
  readonly remainingMs: number;
}

/** The state of a counter after one unit was counted. */
export interface Count {
  /** Number of units in this window, including the one just counted. */
  readonly count: number;
  /** Ms until the window closes. */
  readonly remainingMs: number;
  /** Identifies this window among the earlier and later ones. */
  readonly window: string;
  /**
   * Number of units of `count` that instances of version 0.1.0 have counted in the same store. They do not count failures
   * separately, so all of these units count as failures. @default 0
   */
  readonly by010?: number;
}

/** A part of a log. */
export interface LogPage {
  /** Changes when the store has lost its data. Positions of different epochs are not related. */
  readonly epoch: string;
  /** Position of the newest record; 0 in an empty log. */
  readonly newest: number;
  /** Position of the oldest record that is still kept. */
  readonly oldest: number;
  /** The requested records, oldest first. */
  readonly records: readonly LogRecord[];
}

/** One record of a log. */
export interface LogRecord {
  /** Increases by one from record to record of an epoch. */
  readonly position: number;
  /**
   * The index that was passed to {@link Store.append}: a result of {@link Store.indexOf}, which does not change when keys are
   * rotated. `undefined` if the record at this position is not the one that was written there. The original record may then
   * have named any user.
   */
  readonly index: string | undefined;
  /** The value; `undefined` if it cannot be read with the available keys. */
  readonly value: string | undefined;
}

/** A change of a store that belongs in the operator's log. */
export type StoreNotice =
  | {
      /** The store cannot be reached. */
      readonly type: 'away';
      /** The reason, without a secret. */
      readonly reason: string;
    }
  | {
      /** The store can be reached again. */
      readonly type: 'back';
    }
  | {
      /** A setting of the store may cause failures. */
      readonly type: 'warning';
      /** The setting, and how to change it. */
      readonly message: string;
    };

/** The state of a store, for a health page. */
export interface StoreStatus {
  /**
   * `away`: the store cannot be reached. It is probed at intervals, and every call fails immediately until it can be reached
   * again. `misconfigured`: the store answers, but rejects calls because of a wrong setting, which must be corrected.
   */
  readonly state: 'ready' | 'away' | 'misconfigured';
  /** The reason if the state is not `ready`, without a secret. */
  readonly reason: string | undefined;
  /** Number of values that could not be read: edited, moved, replayed, or sealed with an unknown key. */
  readonly unreadable: number;
}

/**
 * Access to the state that several instances share. Each process also has its own caches, which are not part of the `Store`. A
 * request that these caches can answer never waits for the store.
 *
 * Every method that calls the store may throw `store_unavailable` and no other error. It throws within the store's own deadlines,
 * and immediately while the store is away. The instance then continues without the store.
 *
 * @experimental until stores of other people have proven it
 */
export interface Store {
  /**
   * Ms within which the store itself ends every call. Without it, the instance ends a call after 3 s, and then treats the
   * store as away until a call is answered.
   */
  readonly deadlineMs?: number;
  /** Returns a keyed name for a text. The name is the same on every instance and does not change when keys are rotated. */
  indexOf(text: string): string;
  /** Reads the entry of this name. An entry that cannot be read counts as absent. */
  read(name: EntryName): Promise<Entry | undefined>;
  /**
   * Writes an entry and returns `true`. Returns `false` without writing if an entry of this generation or a newer one was
   * written or discarded.
   */
  write(name: EntryName, entry: NewEntry): Promise<boolean>;
  /** For `keepMs`, prevents reads and writes of this generation and older ones under this name. */
  discard(name: EntryName, generation: number, keepMs: number): Promise<void>;
  /**
   * Adds an item to a list, as the newest one. The item consists of these entries, which are already written. If the list has
   * more than `most` items, deletes the entries of the oldest ones. The list expires `keepMs` after the last call of `enlist`.
   */
  enlist(list: EntryName, entries: readonly EntryName[], most: number, keepMs: number): Promise<void>;
  /** Removes an item from a list. Does not delete the entries of the item. */
  delist(list: EntryName, entries: readonly EntryName[]): Promise<void>;
  /** Acquires the lease to renew the entry of this name. It expires after `leaseMs`. */
  acquire(name: EntryName, leaseMs: number): Promise<Lease | Held>;
  /** Counts one unit. The first unit opens a window of `windowMs`. */
  count(id: string, windowMs: number): Promise<Count>;
  /** Subtracts one unit if this window is still open. */
  uncount(id: string, window: string): Promise<void>;
  /** Adds a record to a log, which keeps its newest 10,000. Returns the state of the log. */
  append(log: string, record: { readonly index: string; readonly value: string }): Promise<LogPage>;
  /** Reads the records after this position. */
  readLog(log: string, after: number): Promise<LogPage>;
  /** Starts a new epoch of a log whose newest record is lost, unless another instance has done that already. */
  renewEpoch(log: string, lostEpoch: string): Promise<void>;
  /** Sends a message to the other instances. It may be lost. */
  publish(topic: string, message: string): Promise<void>;
  /** Receives the messages of a topic, also those of this instance. Returns a function that ends the subscription. */
  subscribe(topic: string, listener: (message: string) => void): () => void;
  /** Returns the state, without a call. */
  status(): StoreStatus;
  /** Receives a notice when the store goes away and when it is back. Returns a function that removes the listener. */
  onNotice(listener: (notice: StoreNotice) => void): () => void;
  /** Closes the connections that the store has opened. */
  close(): Promise<void>;
}

/** Number of records that a log keeps. */
export const LONGEST_LOG = 10_000;
