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
  /** What was revoked on this instance. */
  readonly own: Revocations;
  /** The session under this key, if this process knows it and it has not ended. */
  readonly alive: (key: string) => SessionRecord | undefined;
  /** Takes what the store holds under this key; `undefined`: nothing any more. */
  readonly take: (key: string, found: NamedSession | undefined, asked: AskedAt) => void;
  readonly instrumentation?: Instrumentation | undefined;
}

/** A session that was found, by its name among the instances. */
export type NamedSession = FoundSession & { readonly index: string };

/** The moment before a read, on the monotonic clock and in the order of this instance's revocations. */
export interface AskedAt {
  readonly checkedAt: number;
  readonly mark: RevocationPosition;
}

/** A shared session that was read so long ago is read again. */
const RECHECK_AFTER_MS = 1_000;
/** While the store is away, a session goes on for so long after it was last read. */
const ALONE_MS = 60_000;
/** Who has a session here does not wait longer for the store. */
const BUDGET_MS = 50;
/** A read is over, and a session read again, long before so many others have logged out. */
const MOST_ENDED = 10_000;

/** Reads shared sessions again every second, one read at a time for each, and goes on without a store that is slow or away. */
export class SessionRecheck {
  readonly #reads = new SingleFlight<void>(() =>
    this.parts.instrumentation?.record({ type: 'joined', flight: 'session' }),
  );
  /** Sessions that were ended on any instance, with their generation; what a read under way still brings of them is not taken. */
  readonly #ended = new LRUCache<string, number>({ max: MOST_ENDED });
  /** Sessions whose logout here has not reached the store yet, so that their generation is unknown. */
  readonly #ending = new LRUCache<string, true>({ max: MOST_ENDED });
  readonly #unsubscribe: () => void;

  constructor(private readonly parts: SessionRecheckParts) {
    this.#unsubscribe = parts.sessions.onEnded((index, generation) => this.ended(index, generation));
  }

  /** Whether this record was read so lately that the store need not be asked. */
  isRecent(record: SessionRecord, now: number): boolean {
    return record.shared !== undefined && now - record.shared.checkedAt < RECHECK_AFTER_MS;
  }

  /** The session of this token. Throws `store_unavailable` when only the store could tell. */
  async run(key: string, token: string): Promise<SessionRecord | undefined> {
    const reading = this.#reads.run(key, () => this.#read(key, token));
    const here = this.parts.alive(key);
    await (here === undefined ? reading : this.#inTime(reading, here));
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

  /** The logout here has reached the store and ended all up to this generation; `undefined`: there was no session. */
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

  /** Over when the store has answered, or when it is too slow for a session that was read lately. */
  #inTime(reading: Promise<void>, { shared }: SessionRecord): Promise<void> {
    const { clock } = this.parts;
    if (clock.monotonic() - (shared?.checkedAt ?? -Infinity) >= ALONE_MS) return reading;
    return new Promise((resolve) => {
      const cancel = clock.setTimer(resolve, BUDGET_MS);
      const goOn = (): void => {
        cancel();
        resolve();
      };
      reading.then(goOn, goOn);
    });
  }
}
