import type { XPayAuthError } from '../core/errors.js';

/** One caller, or one renewal, that waits for a place. */
export interface Waiter {
  readonly username: string;
  /** Called once it has a place. */
  readonly granted: () => void;
  /** Called when it does not get one. */
  readonly refused: (failure: XPayAuthError) => void;
  /** Called before a parked waiter goes on. `false`: it has been refused meanwhile, and is gone. */
  readonly mayGoOn: () => boolean;
}

/** The callers of one network who wait, and the places that this network holds. */
export class NetworkLine {
  /** Places that callers of this network hold. */
  held = 0;
  /** Places that callers of this network have been given so far. */
  served = 0;
  /** Checks in a row that the upstream decided quickly. */
  quickInARow = 0;
  /** Those who were parked. They come before those who arrived. */
  readonly #returned = new Set<Waiter>();
  readonly #arrived = new Set<Waiter>();
  /** Those who wait for an open reservation to be settled, by username. They take no place. */
  readonly #parked = new Map<string, Set<Waiter>>();
  #parkedCount = 0;

  /** @param key the network; `undefined`: the callers whose address is not known */
  constructor(readonly key: string | undefined) {}

  /** The number of those who would take a place. */
  get ready(): number {
    return this.#returned.size + this.#arrived.size;
  }

  get waiting(): number {
    return this.ready + this.#parkedCount;
  }

  get isIdle(): boolean {
    return this.held === 0 && this.waiting === 0;
  }

  arrive(waiter: Waiter): void {
    this.#arrived.add(waiter);
  }

  park(waiter: Waiter): void {
    const parked = this.#parked.get(waiter.username) ?? new Set();
    this.#parked.set(waiter.username, parked.add(waiter));
    this.#parkedCount++;
  }

  /** Whether anyone is parked, or anyone with this username. */
  hasParked(username?: string): boolean {
    return username === undefined ? this.#parkedCount > 0 : this.#parked.has(username);
  }

  /** Lets the first parked waiter of this username go on. Without a username it is the user who has waited longest. */
  unpark(username = this.#parked.keys().next().value): void {
    for (const waiter of (username !== undefined && this.#parked.get(username)) || []) {
      this.remove(waiter);
      if (!waiter.mayGoOn()) continue;
      this.#returned.add(waiter);
      break;
    }
    const others = username === undefined ? undefined : this.#parked.get(username);
    if (username === undefined || others === undefined) return;
    // The other usernames come first next time.
    this.#parked.delete(username);
    this.#parked.set(username, others);
  }

  /** Removes and returns the next one. */
  next(): Waiter | undefined {
    const [waiter] = this.#returned.size > 0 ? this.#returned : this.#arrived;
    if (waiter !== undefined) this.remove(waiter);
    return waiter;
  }

  /** Everyone who waits, the newest last. */
  all(): Waiter[] {
    return [...this.#returned, ...[...this.#parked.values()].flatMap((some) => [...some]), ...this.#arrived];
  }

  /** Returns whether it waited here. */
  remove(waiter: Waiter): boolean {
    if (this.#arrived.delete(waiter) || this.#returned.delete(waiter)) return true;
    const parked = this.#parked.get(waiter.username);
    if (parked?.delete(waiter) !== true) return false;
    this.#parkedCount--;
    if (parked.size === 0) this.#parked.delete(waiter.username);
    return true;
  }
}
