import { LRUCache } from 'lru-cache';
import type { Clock } from '../core/clock.js';
import type { RevocationPosition, Revocations } from '../verification/upstream-check.js';
import type { SessionRecord } from './session-records.js';
import type { FoundSession, SharedSessions } from '../cluster/shared-sessions.js';
import { SingleFlight } from '../async/promises.js';
import type { Instrumentation } from '../core/instrumentation.js';

export interface SessionRecheckParts {
  readonly clock: Clock;
  readonly sessions: Pick<SharedSessions, 'read' | 'indexOf' | 'onEnded'>;
  /** The revocations that began on this instance. */
  readonly own: Revocations;
  /** Returns the session of this key from memory, unless the session has ended. */
  readonly alive: (key: string) => SessionRecord | undefined;
  /** Receives the session that was found in the store, or `undefined` if none was found. */
  readonly take: (key: string, found: NamedSession | undefined, asked: AskedAt) => void;
  readonly instrumentation: Instrumentation;
}

/** A session that was found in the store, with its bearer token and its index (see {@link SharedSessions.indexOf}). */
export type NamedSession = FoundSession & { readonly bearer: string; readonly index: string };

/** The time before a read: on the monotonic clock, and as a position in the order of this instance's revocations. */
export interface AskedAt {
  readonly checkedAt: number;
  readonly mark: RevocationPosition;
}

/** Ms after which a shared session is read from the store again. */
const RECHECK_AFTER_MS = 1_000;
/** While the store is unavailable, a session continues for this many ms after its last read. */
const ALONE_MS = 60_000;
/** Number of ended sessions that are kept. Any read finishes long before so many other sessions have ended. */
const MOST_ENDED = 10_000;

/**
 * Reads a shared session again if its last read is more than one second ago, with one read at a time per session. If the store
 * fails, the session continues for up to 60 s after its last read.
 */
export class SessionRecheck {
  readonly #reads = new SingleFlight<void>(() =>
    this.parts.instrumentation.record({ type: 'joined', flight: 'session' }),
  );
  /**
   * Generations of the sessions that any instance has ended, by index. A read that began before the end of a session does not
   * restore the session.
   */
  readonly #ended = new LRUCache<string, number>({ max: MOST_ENDED });
  /**
   * Indexes of the sessions whose logout on this instance has not reached the store yet, so that the ended generation is unknown.
   */
  readonly #ending = new LRUCache<string, true>({ max: MOST_ENDED });
  readonly #unsubscribe: () => void;

  constructor(private readonly parts: SessionRecheckParts) {
    this.#unsubscribe = parts.sessions.onEnded((index, generation) => this.ended(index, generation));
  }

  /** Whether the last read of this session is at most one second ago, so that the store is not read again. */
  isRecent(record: SessionRecord, now: number): boolean {
    return record.shared !== undefined && now - record.shared.checkedAt < RECHECK_AFTER_MS;
  }

  /**
   * Returns the session of this token. Throws `store_unavailable` if only an unavailable store could tell whether the session
   * exists.
   */
  async run(key: string, token: string): Promise<SessionRecord | undefined> {
    const reading = this.#reads.run(key, () => this.#read(key, token));
    const here = this.parts.alive(key);
    try {
      // Wait even for a slow store, because the session may have ended on another instance. The deadlines of the store limit the
      // wait.
      await reading;
    } catch (failure) {
      if (!this.#continuesAlone(here)) throw failure;
    }
    return this.parts.alive(key);
  }

  /**
   * Call this method when a session with this index has started on this instance. An unfinished logout then concerns earlier
   * sessions only.
   */
  began(index: string): void {
    this.#ending.delete(index);
  }

  /**
   * Call this method when a logout of this index has begun on this instance. Until {@link settled} is called, no session with
   * this index is accepted.
   */
  ending(index: string): void {
    this.#ending.set(index, true);
  }

  /**
   * Call this method when the logout has reached the store. The logout has ended all sessions up to this generation. `undefined`
   * if the store contained no session.
   */
  settled(index: string, generation: number | undefined): void {
    this.#ending.delete(index);
    if (generation !== undefined) this.ended(index, generation);
  }

  /** Call this method when the sessions with this index, up to this generation, have ended on any instance. */
  ended(index: string, generation: number): void {
    this.#ended.set(index, Math.max(generation, this.#ended.get(index) ?? 0));
  }

  /** Whether this session, or a later session with the same index, is known to have ended. */
  hasEnded(index: string, generation: number): boolean {
    return this.#ending.has(index) || generation <= (this.#ended.get(index) ?? 0);
  }

  stop(): void {
    this.#unsubscribe();
  }

  async #read(key: string, token: string): Promise<void> {
    const { clock, sessions, own, take } = this.parts;
    const asked = { checkedAt: clock.monotonic(), mark: own.position() };
    const found = await sessions.read(token);
    const index = sessions.indexOf(token);
    const isOver = found === undefined || this.hasEnded(index, found.generation);
    take(key, isOver ? undefined : { ...found, bearer: token, index }, asked);
  }

  /** Whether the last read of this session is recent enough for the session to continue without the store. */
  #continuesAlone(here: SessionRecord | undefined): boolean {
    const checkedAt = here?.shared?.checkedAt ?? -Infinity;
    return this.parts.clock.monotonic() - checkedAt < ALONE_MS;
  }
}
