import { XPayAuthError } from 'nestjs-xpay-auth';
import { MemoryStore } from 'nestjs-xpay-auth/testing';
import type { Entry, EntryName, Held, Lease, LogPage, NewEntry } from '../../libs/xpay-auth/src/core/store.js';
import type { ModelClock } from './model-clock.js';

/**
 * The state of the store. `slow`: each response is 200 ms late. `late`: each command is executed 200 ms late. `lossy`:
 * commands are executed, and their responses are lost.
 */
export type Weather = 'well' | 'slow' | 'late' | 'lossy' | 'away';

const DELAY_MS = 200;
/** Two leases of 13 s. */
const LONGEST_ATTEMPT_MS = 26_000;

/** A store in memory with injected faults that checks its own guarantees. */
export class ModelStore extends MemoryStore {
  readonly violations: string[] = [];
  #weather: Weather = 'well';
  /** Number of failures, changes and losses so far. */
  #disturbances = 0;
  #disturbedAt = -Infinity;
  readonly #leased = new Map<string, number>();
  readonly #written = new Map<string, number>();
  /** An entry that has expired refuses no earlier one. */
  readonly #writtenUntil = new Map<string, number>();

  constructor(private readonly world: ModelClock) {
    super(new ServerClock(world));
  }

  /**
   * Number of the current period without faults. `undefined` during a fault, and while an earlier command may still be
   * running.
   */
  get calmSince(): number | undefined {
    const isCalm = this.#weather === 'well' && this.world.monotonic() >= this.#disturbedAt + LONGEST_ATTEMPT_MS;
    return isCalm ? this.#disturbances : undefined;
  }

  turn(weather: Weather): void {
    if (weather === this.#weather) return;
    this.#weather = weather;
    this.#disturb();
    if (weather === 'away') this.goAway();
    else if (this.status().state === 'away') this.comeBack();
  }

  override flush(): void {
    super.flush();
    this.#disturb();
    this.#written.clear();
    this.#writtenUntil.clear();
  }

  override read(name: EntryName): Promise<Entry | undefined> {
    return this.#answered(() => super.read(name));
  }

  override write(name: EntryName, entry: NewEntry): Promise<boolean> {
    return this.#answered(async () => {
      const key = `${name.kind} ${name.id}`;
      if (this.world.monotonic() >= (this.#writtenUntil.get(key) ?? Infinity)) this.#written.delete(key);
      const isWritten = await super.write(name, entry);
      if (isWritten) this.#mustGrow(this.#written, name, entry.generation, 'written');
      if (isWritten) this.#writtenUntil.set(key, this.world.monotonic() + entry.lifeMs);
      return isWritten;
    });
  }

  override discard(...given: Parameters<MemoryStore['discard']>): Promise<void> {
    return this.#answered(() => super.discard(...given));
  }

  override acquire(name: EntryName, leaseMs: number): Promise<Lease | Held> {
    return this.#answered(async () => {
      const lease = await super.acquire(name, leaseMs);
      if (lease.kind === 'acquired') this.#mustGrow(this.#leased, name, lease.generation, 'leased');
      return lease;
    });
  }

  override append(...given: Parameters<MemoryStore['append']>): Promise<LogPage> {
    return this.#answered(() => super.append(...given));
  }

  override readLog(...given: Parameters<MemoryStore['readLog']>): Promise<LogPage> {
    return this.#answered(() => super.readLog(...given));
  }

  async #answered<T>(act: () => Promise<T>): Promise<T> {
    if (this.#weather === 'late') await this.#pause();
    const done = await act();
    if (this.#weather === 'slow') await this.#pause();
    if (this.#weather === 'lossy') throw new XPayAuthError('store_unavailable', 'the response was lost');
    return done;
  }

  #disturb(): void {
    this.#disturbances++;
    this.#disturbedAt = this.world.monotonic();
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => this.world.setTimer(resolve, DELAY_MS));
  }

  /** Generations only increase. */
  #mustGrow(seen: Map<string, number>, { kind, id }: EntryName, generation: number, what: string): void {
    const name = `${kind} ${id}`;
    const before = seen.get(name) ?? -Infinity;
    if (generation <= before) this.violations.push(`generation ${generation} of a ${kind} is ${what} after ${before}`);
    seen.set(name, generation);
  }
}

/** The server's own clock: no step moves it, and no two readings are equal. */
class ServerClock {
  #readings = 0;

  constructor(private readonly world: ModelClock) {}

  now(): number {
    return Date.UTC(2026, 0, 1) + this.world.monotonic() + ++this.#readings;
  }

  monotonic(): number {
    return this.world.monotonic();
  }

  setTimer(callback: () => void, delayMs: number): () => void {
    return this.world.setTimer(callback, delayMs);
  }
}
