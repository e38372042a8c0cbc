import { XPayAuthError } from 'nestjs-xpay-auth';
import type { Entry, EntryName, Held, Lease, LogPage, NewEntry } from '../../libs/xpay-auth/src/core/store.js';
import { MemoryStore } from '../../libs/xpay-auth/src/stores/memory.store.js';
import type { ModelClock } from './model-clock.js';

/** How the store fares. `slow`: 200 ms for each answer; `lossy`: it does what it is told, and its answer gets lost. */
export type Weather = 'well' | 'slow' | 'lossy' | 'away';

/** A store in memory that can be made to fail, and that watches over its own promises. */
export class ModelStore extends MemoryStore {
  readonly violations: string[] = [];
  #weather: Weather = 'well';
  /** How often it has failed, changed or lost something. */
  #disturbances = 0;
  readonly #leased = new Map<string, number>();
  readonly #written = new Map<string, number>();

  constructor(private readonly world: ModelClock) {
    super(new ServerClock(world));
  }

  /** Tells one calm time from another; `undefined` in none. */
  get calmSince(): number | undefined {
    return this.#weather === 'well' ? this.#disturbances : undefined;
  }

  turn(weather: Weather): void {
    if (weather === this.#weather) return;
    this.#weather = weather;
    this.#disturbances++;
    if (weather === 'away') this.goAway();
    else if (this.status().state === 'away') this.comeBack();
  }

  override flush(): void {
    super.flush();
    this.#disturbances++;
    this.#written.clear();
  }

  override read(name: EntryName): Promise<Entry | undefined> {
    return this.#answered(super.read(name));
  }

  override async write(name: EntryName, entry: NewEntry): Promise<boolean> {
    const isWritten = await super.write(name, entry);
    if (isWritten) this.#mustGrow(this.#written, name, entry.generation, 'written');
    return this.#answered(Promise.resolve(isWritten));
  }

  override discard(...given: Parameters<MemoryStore['discard']>): Promise<void> {
    return this.#answered(super.discard(...given));
  }

  override async acquire(name: EntryName, leaseMs: number): Promise<Lease | Held> {
    const lease = await super.acquire(name, leaseMs);
    if (lease.kind === 'acquired') this.#mustGrow(this.#leased, name, lease.generation, 'leased');
    return this.#answered(Promise.resolve(lease));
  }

  override append(...given: Parameters<MemoryStore['append']>): Promise<LogPage> {
    return this.#answered(super.append(...given));
  }

  override readLog(...given: Parameters<MemoryStore['readLog']>): Promise<LogPage> {
    return this.#answered(super.readLog(...given));
  }

  async #answered<T>(doing: Promise<T>): Promise<T> {
    const done = await doing;
    if (this.#weather === 'slow') await new Promise<void>((resolve) => this.world.setTimer(resolve, 200));
    if (this.#weather === 'lossy') throw new XPayAuthError('store_unavailable', 'the answer got lost');
    return done;
  }

  /** Generations only grow. */
  #mustGrow(seen: Map<string, number>, { kind, id }: EntryName, generation: number, what: string): void {
    const name = `${kind} ${id}`;
    const before = seen.get(name) ?? -Infinity;
    if (generation <= before) this.violations.push(`generation ${generation} of a ${kind} is ${what} after ${before}`);
    seen.set(name, generation);
  }
}

/** The server's own clock: no step of ours moves it, and no two of its instants are the same. */
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
