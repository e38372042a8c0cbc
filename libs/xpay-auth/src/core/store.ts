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

/** The name of an entry. `id` may be anything, also a secret: a store never shows it. */
export interface EntryName {
  /** The kind of the entry. */
  readonly kind: EntryKind;
  /** Which entry of that kind: a username, a digest, an address. */
  readonly id: string;
}

/** The value under a name. */
export interface Entry {
  /** The value as it was written. */
  readonly value: string;
  /** Increases with every new value of one name; see {@link Lease.generation}. */
  readonly generation: number;
  /** Ms until it expires. Counted by the store, so no other machine's wall clock matters. */
  readonly remainingMs: number;
}

/** A value to be written. */
export interface NewEntry {
  /** Any text. A store outside the process seals it. */
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
   * Greater than that of every earlier lease and entry of this name, also after the store has lost everything. A value of an
   * earlier holder is refused once a later holder has written.
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
  /** Units in this window, with the one just counted. */
  readonly count: number;
  /** Ms until the window closes. */
  readonly remainingMs: number;
  /** Identifies this window among the earlier and later ones. */
  readonly window: string;
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
   * A result of {@link Store.indexOf}, which does not change when keys are rotated. `undefined`: the record at this position is
   * not the one that was written there, so it may have named any user.
   */
  readonly index: string | undefined;
  /** `undefined` when it cannot be read with the keys at hand. */
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
   * `away`: it cannot be reached. It is probed at intervals, and until it is back every call fails at once. `misconfigured`: it
   * answers, but rejects calls because of a wrong setting, which is not repaired by waiting.
   */
  readonly state: 'ready' | 'away' | 'misconfigured';
  /** Why it is not ready, without a secret. */
  readonly reason: string | undefined;
  /** Number of values that could not be read: edited, moved, replayed, or sealed with an unknown key. */
  readonly unreadable: number;
}

/**
 * The state that several instances share. The caches of each process come first and are no `Store`: a request that they can
 * answer never waits for the store.
 *
 * Every method that calls the store may throw `store_unavailable` and nothing else, within the store's own deadlines, and at
 * once while the store is away. The instance then continues without it.
 *
 * @experimental until stores of other people have proven it
 */
export interface Store {
  /**
   * Ms within which the store itself ends every call. Without it, the instance ends a call after 3 s, and then treats the
   * store as away until a call is answered.
   */
  readonly deadlineMs?: number;
  /** Returns a keyed name for a text, the same on every instance, which does not change when keys are rotated. */
  indexOf(text: string): string;
  /** Reads the entry of this name. An entry that cannot be read counts as absent. */
  read(name: EntryName): Promise<Entry | undefined>;
  /** Writes, unless an entry of this generation or a newer one was written or discarded. Then it returns `false`. */
  write(name: EntryName, entry: NewEntry): Promise<boolean>;
  /** For `keepMs`, prevents reads and writes of this generation and older ones under this name. */
  discard(name: EntryName, generation: number, keepMs: number): Promise<void>;
  /**
   * Adds written entries to a list, as its newest item. Deletes the entries of the oldest items beyond
   * `most`. `keepMs` after the last call for it, the list ends.
   */
  enlist(list: EntryName, entries: readonly EntryName[], most: number, keepMs: number): Promise<void>;
  /** Removes an item from a list, without its entries. */
  delist(list: EntryName, entries: readonly EntryName[]): Promise<void>;
  /** Acquires the lease to renew the entry of this name. It expires after `leaseMs`. */
  acquire(name: EntryName, leaseMs: number): Promise<Lease | Held>;
  /** Counts one unit. The first unit opens a window of `windowMs`. */
  count(id: string, windowMs: number): Promise<Count>;
  /** Subtracts one unit, if its window is still open. */
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
