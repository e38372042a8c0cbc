import type { CancelTimer, Clock } from '../core/clock.js';
import { XPayAuthError } from '../core/errors.js';
import type { Attempts } from '../rate-limit/attempts.js';
import { networkOf } from '../rate-limit/client-address.js';
import type { PresentedCredentials } from './presented-credentials.js';

export interface PlacesParts {
  readonly clock: Clock;
  readonly policy: {
    /** Checks at the upstream at once. */
    readonly maxConcurrent: number;
    /** Callers who wait at once. */
    readonly maxQueued: number;
  };
  readonly attempts: Pick<Attempts, 'refuseLockedOut'>;
}

/** The share of the places that only renewals take: at least one place, if there is more than one. */
const KEPT_FOR_RENEWALS = 1 / 4;
/** The share of the other places that one network may hold while its checks are not known to be quick. */
const SHARE_OF_A_NETWORK = 3 / 4;
/** Ms after which a caller whose limit is full of open reservations tries again: they may belong to other instances. */
const RETRY_MS = 100;

/** One check that waits for a place. */
export interface Waiter {
  readonly presented: PresentedCredentials;
  /** Ends the wait: with a place, or with a failure. */
  readonly settle: (failure?: XPayAuthError) => void;
}

/** The checks of one network that wait, and the places that it holds. The renewals of cached callers have a line too. */
export class Line {
  /** Places that this network holds. */
  held = 0;
  /** Places that this network has been given so far. */
  served = 0;
  /** Checks in a row that the upstream decided quickly. */
  quickInARow = 0;
  /** The number of those who wait. */
  waiting = 0;
  /** Those who are ready to take a place. Those who were parked come before those who arrived. */
  readonly returned = new Set<Waiter>();
  readonly arrived = new Set<Waiter>();
  /** Those who wait for an open reservation to be settled, by username. */
  readonly parked = new Map<string, Set<Waiter>>();
  /** Cancels the next try of a parked one. */
  cancelRetry: CancelTimer | undefined;

  /** @param network `undefined`: renewals, or callers whose address is not known */
  constructor(readonly network: string | undefined) {}

  /** The number of those who are ready to take a place. */
  get ready(): number {
    return this.returned.size + this.arrived.size;
  }

  /** Returns everyone who waits, the newest last. */
  all(): Waiter[] {
    return [...this.returned, ...[...this.parked.values()].flatMap((some) => [...some]), ...this.arrived];
  }

  park(waiter: Waiter): void {
    const { username } = waiter.presented.by;
    this.parked.set(username, (this.parked.get(username) ?? new Set()).add(waiter));
  }

  remove(waiter: Waiter): void {
    if (this.arrived.delete(waiter) || this.returned.delete(waiter)) return;
    const { username } = waiter.presented.by;
    const parked = this.parked.get(username);
    parked?.delete(waiter);
    if (parked?.size === 0) this.parked.delete(username);
  }
}

/**
 * The places at the upstream. The next place goes to a renewal that waits, then to the network that holds the fewest places, and
 * of several such networks to the least recently served one: no network gets more by sending more.
 */
export class Places {
  readonly #renewals = new Line(undefined);
  /** The lines of the networks that hold a place or wait. Callers without a known address share one. */
  readonly #lines = new Map<string | undefined, Line>();
  /** The lines with callers who are ready to take a place, the least recently served first. */
  readonly #ready = new Set<Line>();
  readonly #keptForRenewals: number;
  readonly #forNewcomers: number;
  readonly #forOneNetwork: number;
  /** Places that are held, those of renewals included. */
  #held = 0;
  /** The number of checks that wait, renewals included. */
  waiting = 0;

  constructor(private readonly parts: PlacesParts) {
    const { maxConcurrent } = parts.policy;
    this.#keptForRenewals = Math.max(1, Math.floor(maxConcurrent * KEPT_FOR_RENEWALS));
    this.#forNewcomers = Math.max(1, maxConcurrent - this.#keptForRenewals);
    this.#forOneNetwork = Math.ceil(this.#forNewcomers * SHARE_OF_A_NETWORK);
  }

  /** Whether a renewal would run or wait now. One that can still be made later only runs while no caller waits. */
  hasRoomForRenewal(isUrgent: boolean): boolean {
    const isFree = this.#renewals.held < this.#keptForRenewals || this.#ready.size === 0;
    return (isFree && !this.#isFull) || (isUrgent && this.#renewals.waiting < this.parts.policy.maxQueued);
  }

  lineOf({ isRenewal, by: { address } }: PresentedCredentials): Line {
    if (isRenewal) return this.#renewals;
    const network = address === undefined ? undefined : networkOf(address);
    return this.#lines.get(network) ?? new Line(network);
  }

  /** Takes a place, or waits, or is evicted. A parked one waits without a place until a reservation is settled. */
  enter(line: Line, waiter: Waiter, isParked: boolean): void {
    line.waiting++;
    this.waiting++;
    if (isParked) line.park(waiter);
    else line.arrived.add(waiter);
    this.#update(line);
    this.#grant();
    if (line !== this.#renewals) this.#evictBeyondLimit(line, waiter);
  }

  /** The wait is over. */
  leave(line: Line, waiter: Waiter): void {
    line.remove(waiter);
    line.waiting--;
    this.waiting--;
    this.#update(line);
  }

  /** A check is over. @param isQuick whether the upstream decided it quickly; `undefined`: it was not made */
  release(line: Line, username: string, isQuick: boolean | undefined): void {
    line.held--;
    this.#held--;
    if (isQuick !== undefined) {
      line.quickInARow = isQuick ? line.quickInARow + 1 : 0;
      // A reservation of this network is no longer open: one caller tries again for each counter that it was in.
      this.#unpark(line, username);
      this.#unpark(line);
    }
    // It comes behind the other lines now.
    this.#ready.delete(line);
    this.#update(line);
    this.#grant();
  }

  /** Refuses everyone who waits. */
  stop(failure: XPayAuthError): void {
    for (const line of [this.#renewals, ...this.#lines.values()]) {
      for (const waiter of line.all()) waiter.settle(failure);
    }
  }

  get #isFull(): boolean {
    return this.#held >= this.parts.policy.maxConcurrent;
  }

  /** Keeps the tables, and the timer of the parked ones, when a line has changed. */
  #update(line: Line): void {
    if (line === this.#renewals) return;
    if (line.parked.size === 0) {
      line.cancelRetry?.();
      line.cancelRetry = undefined;
    } else line.cancelRetry ??= this.parts.clock.setTimer(() => this.#retry(line), RETRY_MS);
    if (line.ready > 0) this.#ready.add(line);
    else this.#ready.delete(line);
    if (line.held > 0 || line.waiting > 0) this.#lines.set(line.network, line);
    else this.#lines.delete(line.network);
  }

  #retry(line: Line): void {
    line.cancelRetry = undefined;
    this.#unpark(line);
    this.#update(line);
    this.#grant();
  }

  /** Lets the first parked caller of this username go on. Without a username it is the user who has waited longest. */
  #unpark(line: Line, username = line.parked.keys().next().value): void {
    const parked = username === undefined ? undefined : line.parked.get(username);
    if (username === undefined || parked === undefined) return;
    // The other usernames come first next time.
    line.parked.delete(username);
    line.parked.set(username, parked);
    for (const waiter of parked) {
      try {
        this.parts.attempts.refuseLockedOut(waiter.presented.by);
      } catch (lockedOut) {
        waiter.settle(lockedOut as XPayAuthError);
        continue;
      }
      line.remove(waiter);
      line.returned.add(waiter);
      return;
    }
  }

  #grant(): void {
    for (let line = this.#nextLine(); line !== undefined; line = this.#nextLine()) {
      const [waiter] = line.returned.size > 0 ? line.returned : line.arrived;
      line.held++;
      line.served++;
      this.#held++;
      // It comes behind the other lines now.
      this.#ready.delete(line);
      waiter?.settle();
    }
  }

  /** Returns the line whose next waiter takes a place now. */
  #nextLine(): Line | undefined {
    if (this.#isFull) return undefined;
    if (this.#renewals.ready > 0) return this.#renewals;
    if (this.#held - this.#renewals.held >= this.#forNewcomers) return undefined;
    let fewest: Line | undefined;
    for (const line of this.#ready) {
      // Callers of unknown addresses are no one network, and quick checks keep no one waiting.
      const isBounded = line.network !== undefined && line.quickInARow < this.#forOneNetwork;
      if (line.held >= (fewest?.held ?? (isBounded ? this.#forOneNetwork : Infinity))) continue;
      fewest = line;
      if (line.held === 0) break;
    }
    return fewest;
  }

  /** The newest of the network with the most makes room, which is the one who arrives if its network has as many. */
  #evictBeyondLimit(arrived: Line, waiter: Waiter): void {
    const { maxQueued } = this.parts.policy;
    if (this.waiting - this.#renewals.waiting <= maxQueued) return;
    let longest = arrived;
    for (const line of this.#lines.values()) if (line.waiting > longest.waiting) longest = line;
    const evicted = longest === arrived ? waiter : longest.all().at(-1);
    evicted?.settle(new XPayAuthError('overloaded', `verification.maxQueued: ${maxQueued} checks wait already`));
  }
}
