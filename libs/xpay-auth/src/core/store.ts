/**
 * What an entry is. Each kind is sealed with a key of its own, and none is ever taken for another.
 *
 * - `token`: the app's own access token · `pause`: the upstream is to be left alone, and why
 * - `session`: a login · `seen`: that a session was used lately · `caller`: verified credentials
 * - `welcome`: that a user came in from an address · `notice`: a message to the other instances
 * - `revocation`: a record of the log of who was revoked
 */
export type EntryKind = 'token' | 'pause' | 'session' | 'seen' | 'caller' | 'welcome' | 'notice' | 'revocation';

/** Names an entry. `id` may hold anything, secrets included: a store never shows it. */
export interface EntryName {
  /** What it is. */
  readonly kind: EntryKind;
  /** Whose, or which: a user name, a digest, an address. */
  readonly id: string;
}

/** What a store holds under a name. */
export interface Entry {
  /** As it was written. */
  readonly value: string;
  /** Grows with every new value of one name; see {@link Lease.generation}. */
  readonly generation: number;
  /** Ms for which it will be there. Counted by the store, so no other machine's wall clock matters. */
  readonly remainingMs: number;
}

/** A value to be kept. */
export interface NewEntry {
  /** Any text. A store that leaves the process keeps it sealed. */
  readonly value: string;
  /**
   * That of the lease under which it was made; see {@link Lease.generation}. Of a name that nobody leases: any whole number
   * that grows, such as the time.
   */
  readonly generation: number;
  /** Ms for which it is kept, by the store's own clock. */
  readonly lifeMs: number;
}

/** The right to do a thing alone for a while. */
export interface Lease {
  /** It is ours. */
  readonly kind: 'acquired';
  /**
   * Greater than that of every lease and entry of this name before it, also after the store has lost everything: what its
   * holder writes is refused once a later holder has written.
   */
  readonly generation: number;
  /** Gives the right back, unless it has run out and belongs to somebody else. Never rejects. */
  release(): Promise<void>;
}

/** Somebody else has the lease. */
export interface Held {
  /** It is somebody else's. */
  readonly kind: 'held';
  /** Ms until it runs out. */
  readonly remainingMs: number;
}

/** One unit counted within a window. */
export interface Count {
  /** This one included. */
  readonly count: number;
  /** Ms until the window closes. */
  readonly remainingMs: number;
  /** Tells this window from the ones before and after it. */
  readonly window: string;
}

/** A stretch of a log. */
export interface LogPage {
  /** Changes when the store has lost what it held. Positions of different epochs have nothing to do with each other. */
  readonly epoch: string;
  /** Position of the newest record; 0 in an empty log. */
  readonly newest: number;
  /** Position of the oldest record that is still kept. */
  readonly oldest: number;
  /** What was asked for, oldest first. */
  readonly records: readonly LogRecord[];
}

/** One record of a log. */
export interface LogRecord {
  /** Grows by one from record to record of an epoch. */
  readonly position: number;
  /** Of {@link Store.indexOf}: survives a rotation of keys. */
  readonly index: string;
  /** `undefined` when it cannot be read with the keys at hand. */
  readonly value: string | undefined;
}

/** Something a log's operator should read. */
export type StoreNotice =
  | {
      /** The store cannot be reached. */
      readonly type: 'away';
      /** Why, in a sentence without a secret. */
      readonly reason: string;
    }
  | {
      /** The store can be reached again. */
      readonly type: 'back';
    }
  | {
      /** Something about the store's setting that will hurt one day. */
      readonly type: 'warning';
      /** What, and what to do about it. */
      readonly message: string;
    };

/** How a store is doing; fit for a health page. */
export interface StoreStatus {
  /** *away*: it is asked again at intervals; until then every call fails at once, without asking. */
  readonly state: 'ready' | 'away';
  /** Why it is away. Holds no secret. */
  readonly reason: string | undefined;
  /** Values that were there but could not be read: edited, moved, replayed, or sealed with a key we do not have. */
  readonly unreadable: number;
}

/**
 * What several instances share. The memory of the process is in front of it and is no `Store`: a request that memory
 * can answer never waits for this one.
 *
 * Every method that asks may throw `store_unavailable` and nothing else, soon (a store has deadlines of its own), and at
 * once while the store is away. Callers go on without it.
 *
 * @experimental until stores of other people have proven it
 */
export interface Store {
  /** A keyed name for a text, the same on every instance and for good: it does not change when keys are rotated. */
  indexOf(text: string): string;
  /** What is under this name. An entry that cannot be read is no entry. */
  read(name: EntryName): Promise<Entry | undefined>;
  /** Writes unless something of this generation or a newer one is there, or was discarded. `false`: refused. */
  write(name: EntryName, entry: NewEntry): Promise<boolean>;
  /** From here on, for `keepMs`, nothing of this generation or an older one is read or written under this name. */
  discard(name: EntryName, generation: number, keepMs: number): Promise<void>;
  /** Asks for the right to renew what is under this name, for `leaseMs`; whoever dies with it loses it then. */
  acquire(name: EntryName, leaseMs: number): Promise<Lease | Held>;
  /** Counts one more in the window that the first one opened, and that lasts for `windowMs`. */
  count(id: string, windowMs: number): Promise<Count>;
  /** Takes one back, if its window is still open. */
  uncount(id: string, window: string): Promise<void>;
  /** Adds to a log and tells where it stands now. A log keeps its newest 10,000 records. */
  append(log: string, record: { readonly index: string; readonly value: string }): Promise<LogPage>;
  /** What was added after this position. */
  readLog(log: string, after: number): Promise<LogPage>;
  /** Begins a new epoch of a log, unless that has happened already. For when its newest record is known to be lost. */
  renewEpoch(log: string, lostEpoch: string): Promise<void>;
  /** Tells the other instances, if they can be reached. May be lost: nothing may depend on it. */
  publish(topic: string, message: string): Promise<void>;
  /** Hears what is published, this instance's own messages included. Returns what ends it. */
  subscribe(topic: string, listener: (message: string) => void): () => void;
  /** How it is doing; asks nobody. */
  status(): StoreStatus;
  /** Hears when the store goes and when it is back. Returns what ends it. */
  onNotice(listener: (notice: StoreNotice) => void): () => void;
  /** Closes what the store has opened. */
  close(): Promise<void>;
}

/** A log keeps so many records. */
export const LONGEST_LOG = 10_000;
