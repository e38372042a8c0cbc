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
  /** The revocations of this instance. */
  readonly own: Revocations;
  /** Returns the session of this key, if this process knows it and it has not ended. */
  readonly alive: (key: string) => SessionRecord | undefined;
  /** Receives the entry of the store; `undefined`: there is none any more. */
  readonly take: (key: string, found: NamedSession | undefined, asked: AskedAt) => void;
  readonly instrumentation: Instrumentation;
}

/** A session of the store, with its name among the instances. */
export type NamedSession = FoundSession & { readonly index: string };

/** The moment before a read, on the monotonic clock and in the order of this instance's revocations. */
export interface AskedAt {
  readonly checkedAt: number;
  readonly mark: RevocationPosition;
}

/** Ms after which a shared session is read again. */
const RECHECK_AFTER_MS = 1_000;
/** Ms after its last read for which a session continues while the store is unavailable. */
const ALONE_MS = 60_000;
/** Ended sessions that are kept. A read finishes long before so many others have ended. */
const MOST_ENDED = 10_000;

/** Reads shared sessions again every second, one read at a time for each, and continues for a while without a store that fails. */
export class SessionRecheck {
  readonly #reads = new SingleFlight<void>(() =>
    this.parts.instrumentation.record({ type: 'joined', flight: 'session' }),
  );
  /** Generations of sessions that any instance has ended, by name. A read that began before does not bring them back. */
  readonly #ended = new LRUCache<string, number>({ max: MOST_ENDED });
  /** Names of sessions whose logout here has not reached the store yet, so that their generation is unknown. */
  readonly #ending = new LRUCache<string, true>({ max: MOST_ENDED });
  readonly #unsubscribe: () => void;

  constructor(private readonly parts: SessionRecheckParts) {
    this.#unsubscribe = parts.sessions.onEnded((index, generation) => this.ended(index, generation));
  }

  /** Whether this record was read so recently that the store is not read again. */
  isRecent(record: SessionRecord, now: number): boolean {
    return record.shared !== undefined && now - record.shared.checkedAt < RECHECK_AFTER_MS;
  }

  /** Returns the session of this token. Throws `store_unavailable` where only the store could decide. */
  async run(key: string, token: string): Promise<SessionRecord | undefined> {
    const reading = this.#reads.run(key, () => this.#read(key, token));
    const here = this.parts.alive(key);
    try {
      // However slow the answer is: the session may have ended elsewhere since it was read. The store limits the wait.
      await reading;
    } catch (failure) {
      if (!this.#continuesAlone(here)) throw failure;
    }
    return this.parts.alive(key);
  }

  /** A session of this name began here. A logout that has not reached the store yet concerns an earlier one. */
  began(index: string): void {
    this.#ending.delete(index);
  }

  /** A logout of this name has begun here. Until {@link settled} no session of this name is accepted. */
  ending(index: string): void {
    this.#ending.set(index, true);
  }

  /** The logout here has reached the store and ended all sessions up to this generation; `undefined`: there was none. */
  settled(index: string, generation: number | undefined): void {
    this.#ending.delete(index);
    if (generation !== undefined) this.ended(index, generation);
  }

  /** The sessions of this name up to this generation have ended, here or elsewhere. */
  ended(index: string, generation: number): void {
    this.#ended.set(index, Math.max(generation, this.#ended.get(index) ?? 0));
  }

  /** Whether this session, or a later one of its name, is known to have ended. */
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
    take(key, isOver ? undefined : { ...found, index }, asked);
  }

  /** Whether this session was read so recently that it continues without the store. */
  #continuesAlone(here: SessionRecord | undefined): boolean {
    const checkedAt = here?.shared?.checkedAt ?? -Infinity;
    return this.parts.clock.monotonic() - checkedAt < ALONE_MS;
  }
}
