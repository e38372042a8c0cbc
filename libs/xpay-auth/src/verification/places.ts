import { XPayAuthError } from '../core/errors.js';
import { NetworkLine, type Waiter } from './network-line.js';

export interface PlacesPolicy {
  /** Checks at the upstream at once. */
  readonly maxConcurrent: number;
  /** Callers who wait at once. */
  readonly maxQueued: number;
}

/** The network of a caller; `undefined`: its address is not known. */
export type NetworkKey = string | undefined;

/** The share of the places that only renewals take: at least one place, if there is more than one. */
const KEPT_FOR_RENEWALS = 1 / 4;
/** The share of the other places that one network may hold while its checks are not known to be quick. */
const SHARE_OF_A_NETWORK = 3 / 4;

/**
 * The places at the upstream, and who gets the next one: renewals that cannot wait, then the network that holds the fewest
 * places. Of several such networks it is the one that was served least recently, so that no network gets more by sending more.
 */
export class Places {
  readonly #forNewcomers: number;
  readonly #forOneNetwork: number;
  readonly #lines = new Map<NetworkKey, NetworkLine>();
  /** The lines with callers who are ready, by the number of places that they hold, the least recently served first. */
  readonly #readyByHeld: (Set<NetworkLine> | undefined)[] = [];
  readonly #renewalsWaiting = new Set<Waiter>();
  #renewals = 0;
  #newcomers = 0;
  #ready = 0;
  #waiting = 0;

  constructor(private readonly policy: PlacesPolicy) {
    const { maxConcurrent } = policy;
    this.#forNewcomers = Math.max(1, maxConcurrent - this.#kept);
    this.#forOneNetwork = Math.ceil(this.#forNewcomers * SHARE_OF_A_NETWORK);
  }

  /** Callers and renewals who wait. */
  get waiting(): number {
    return this.#waiting + this.#renewalsWaiting.size;
  }

  /** Whether a renewal would run or wait now. One that can still be made later only runs while no caller waits. */
  hasRoomForRenewal(isUrgent: boolean): boolean {
    return this.#canRenew() || (isUrgent && this.#renewalsWaiting.size < this.policy.maxQueued);
  }

  /** A renewal takes a place, or waits for the next one. */
  renew(waiter: Waiter): void {
    if (!this.#canRenew()) return void this.#renewalsWaiting.add(waiter);
    this.#renewals++;
    waiter.granted();
  }

  /** A caller takes a place, or waits, or someone is evicted. Returns the line, for its figures. */
  arrive(key: NetworkKey, waiter: Waiter): NetworkLine {
    const line = this.#lineOf(key);
    this.#change(line, () => line.arrive(waiter));
    this.#grant();
    this.#evictBeyondLimit(line, waiter);
    return line;
  }

  /** A caller waits for an open reservation to be settled, without a place. */
  park(key: NetworkKey, waiter: Waiter): void {
    const line = this.#lineOf(key);
    this.#change(line, () => line.park(waiter));
    this.#evictBeyondLimit(line, waiter);
  }

  /** Whether a caller of this network is parked; with a username, one who sends it. */
  hasParked(key: NetworkKey, username?: string): boolean {
    return this.#lines.get(key)?.hasParked(username) === true;
  }

  /** Lets a parked caller of this network go on: the first with this username, or the one who has waited longest. */
  unpark(key: NetworkKey, username?: string): void {
    const line = this.#lines.get(key);
    if (line === undefined || !line.hasParked(username)) return;
    this.#change(line, () => line.unpark(username));
    this.#grant();
  }

  /** A waiter gives up. */
  leave(key: NetworkKey, waiter: Waiter): void {
    if (this.#renewalsWaiting.delete(waiter)) return;
    const line = this.#lines.get(key);
    if (line !== undefined) this.#change(line, () => line.remove(waiter));
  }

  /** A renewal is over. */
  releaseRenewal(): void {
    this.#renewals--;
    this.#grant();
  }

  /** A check is over. @param isQuick whether the upstream decided it quickly; `undefined`: it was not made */
  release(key: NetworkKey, isQuick: boolean | undefined): void {
    const line = this.#lineOf(key);
    this.#newcomers--;
    this.#change(line, () => line.held--);
    if (isQuick !== undefined) line.quickInARow = isQuick ? line.quickInARow + 1 : 0;
    this.#grant();
  }

  /** Refuses everyone who waits. */
  stop(failure: XPayAuthError): void {
    const everyone = [...this.#renewalsWaiting, ...[...this.#lines.values()].flatMap((line) => line.all())];
    for (const waiter of everyone) waiter.refused(failure);
  }

  get #kept(): number {
    return Math.max(1, Math.floor(this.policy.maxConcurrent * KEPT_FOR_RENEWALS));
  }

  get #isFull(): boolean {
    return this.#renewals + this.#newcomers >= this.policy.maxConcurrent;
  }

  #canRenew(): boolean {
    return !this.#isFull && (this.#renewals < this.#kept || this.#ready === 0);
  }

  #lineOf(key: NetworkKey): NetworkLine {
    return this.#lines.get(key) ?? new NetworkLine(key);
  }

  /** Keeps the counts and the order of the lines when one changes. */
  #change(line: NetworkLine, change: () => void): void {
    const { held, ready, waiting } = line;
    change();
    this.#ready += line.ready - ready;
    this.#waiting += line.waiting - waiting;
    if (line.isIdle) this.#lines.delete(line.key);
    else this.#lines.set(line.key, line);
    if (line.held !== held || line.ready === 0) this.#readyByHeld[held]?.delete(line);
    if (line.ready > 0) (this.#readyByHeld[line.held] ??= new Set()).add(line);
  }

  #grant(): void {
    while (!this.#isFull) {
      const [renewal] = this.#renewalsWaiting;
      if (renewal !== undefined) {
        this.#renewalsWaiting.delete(renewal);
        this.#renewals++;
        renewal.granted();
        continue;
      }
      const line = this.#newcomers < this.#forNewcomers ? this.#nextLine() : undefined;
      if (line === undefined) return;
      this.#newcomers++;
      let waiter: Waiter | undefined;
      this.#change(line, () => {
        waiter = line.next();
        line.held++;
        line.served++;
      });
      waiter?.granted();
    }
  }

  #nextLine(): NetworkLine | undefined {
    for (const [held, lines] of this.#readyByHeld.entries()) {
      for (const line of lines ?? []) if (held < this.#mostOf(line)) return line;
    }
    return undefined;
  }

  /** Callers of unknown addresses are no one network, and quick checks keep no one waiting. */
  #mostOf({ key, quickInARow }: NetworkLine): number {
    return key === undefined || quickInARow >= this.#forOneNetwork ? this.#forNewcomers : this.#forOneNetwork;
  }

  /** The newest of the network with the most makes room, which is the one who arrives if its network has as many. */
  #evictBeyondLimit(arrived: NetworkLine, waiter: Waiter): void {
    if (this.#waiting <= this.policy.maxQueued) return;
    let longest = arrived;
    for (const line of this.#lines.values()) if (line.waiting > longest.waiting) longest = line;
    const evicted = longest === arrived ? waiter : longest.all().at(-1);
    const { maxQueued } = this.policy;
    evicted?.refused(new XPayAuthError('overloaded', `verification.maxQueued: ${maxQueued} checks wait already`));
  }
}
