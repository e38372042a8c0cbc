import type { CancelTimer, Clock } from '../core/clock.js';
import { XPayAuthError } from '../core/errors.js';
import type { Attempts } from '../rate-limit/attempts.js';
import { networkOf } from '../rate-limit/client-address.js';
import { type PresentedCredentials, individualFailure } from './presented-credentials.js';

export interface PlacesParts {
  readonly clock: Clock;
  readonly policy: {
    /** Maximum number of concurrent checks at the upstream. */
    readonly maxConcurrent: number;
    /** Maximum number of callers who wait. */
    readonly maxQueued: number;
  };
  readonly attempts: Pick<Attempts, 'refuseLockedOut'>;
}

/** Share of the places that is reserved for renewals. At least one place is reserved if there is more than one. */
const KEPT_FOR_RENEWALS = 1 / 4;
/** Share of the other places that one network may hold, unless its last checks were all quick. */
const SHARE_OF_A_NETWORK = 3 / 4;
/**
 * Ms after which a caller tries again who waits for open reservations. The reservations may belong to other instances, which do
 * not report their end.
 */
const RETRY_MS = 100;

/** One check that waits for a place. */
export interface Waiter {
  readonly presented: PresentedCredentials;
  /** Ends the wait with a place, or with a failure if one is passed. */
  readonly settle: (failure?: XPayAuthError) => void;
}

/** The waiting checks of one network, and the places that the network holds. The renewals of cached callers have a separate line. */
export class Line {
  /** Number of places that this network holds. */
  held = 0;
  /** Number of places that this network has received so far. */
  served = 0;
  /** Number of consecutive checks that the upstream decided quickly. */
  quickInARow = 0;
  /** Number of callers who wait. */
  waiting = 0;
  /** The callers who are ready to take a place. Callers who were parked come before callers who have just arrived. */
  readonly returned = new Set<Waiter>();
  readonly arrived = new Set<Waiter>();
  /** The parked callers, by username. They wait until an open reservation is settled. */
  readonly parked = new Map<string, Set<Waiter>>();
  /** Cancels the timer after which a parked caller tries again. */
  cancelRetry: CancelTimer | undefined;

  /** @param network `undefined` for renewals, and for callers whose address is not known */
  constructor(readonly network: string | undefined) {}

  /** Number of callers who are ready to take a place. */
  get ready(): number {
    return this.returned.size + this.arrived.size;
  }

  /** Returns all waiting callers. The newest caller is the last one. */
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
 * The places at the upstream. The next place goes to a waiting renewal. If there is none, it goes to the network that holds the
 * fewest places, and among several such networks to the network that was served least recently. A network therefore gets no more
 * places by sending more requests.
 */
export class Places {
  readonly #renewals = new Line(undefined);
  /** The lines of all networks that hold or wait for a place. Callers without a known address share one line. */
  readonly #lines = new Map<string | undefined, Line>();
  /** The lines with callers who are ready to take a place. The least recently served line is the first one. */
  readonly #ready = new Set<Line>();
  readonly #keptForRenewals: number;
  readonly #forNewcomers: number;
  readonly #forOneNetwork: number;
  /** Number of occupied places, including the places of renewals. */
  #held = 0;
  /** Number of checks that wait, including renewals. */
  waiting = 0;

  constructor(private readonly parts: PlacesParts) {
    const { maxConcurrent } = parts.policy;
    this.#keptForRenewals = Math.max(1, Math.floor(maxConcurrent * KEPT_FOR_RENEWALS));
    this.#forNewcomers = Math.max(1, maxConcurrent - this.#keptForRenewals);
    this.#forOneNetwork = Math.ceil(this.#forNewcomers * SHARE_OF_A_NETWORK);
  }

  /**
   * Whether a renewal that begins now can run, or may wait. A renewal that is not urgent may use a place outside the reserved
   * share only while no caller waits.
   */
  hasRoomForRenewal(isUrgent: boolean): boolean {
    const isFree = this.#renewals.held < this.#keptForRenewals || this.#ready.size === 0;
    return (isFree && !this.#isFull) || (isUrgent && this.#renewals.waiting < this.parts.policy.maxQueued);
  }

  lineOf({ isRenewal, by: { address } }: PresentedCredentials): Line {
    if (isRenewal) return this.#renewals;
    const network = address === undefined ? undefined : networkOf(address);
    return this.#lines.get(network) ?? new Line(network);
  }

  /** Adds a caller, who then gets a place, waits, or is evicted. A parked caller waits until an open reservation is settled. */
  enter(line: Line, waiter: Waiter, isParked: boolean): void {
    line.waiting++;
    this.waiting++;
    if (isParked) line.park(waiter);
    else line.arrived.add(waiter);
    this.#update(line);
    this.#grant();
    if (line !== this.#renewals) this.#evictBeyondLimit(line, waiter);
  }

  /** Removes a caller whose wait is over. */
  leave(line: Line, waiter: Waiter): void {
    line.remove(waiter);
    line.waiting--;
    this.waiting--;
    this.#update(line);
  }

  /** Releases the place of a check. @param isQuick whether the upstream decided it quickly, `undefined` if it was not called */
  release(line: Line, username: string, isQuick: boolean | undefined): void {
    line.held--;
    this.#held--;
    if (isQuick !== undefined) {
      line.quickInARow = isQuick ? line.quickInARow + 1 : 0;
      // A reservation of this network was settled. For each counter of the reservation, one parked caller tries again.
      this.#unpark(line, username);
      this.#unpark(line);
    }
    // This line comes after the other lines now.
    this.#ready.delete(line);
    this.#update(line);
    this.#grant();
  }

  /** Refuses all callers who wait. */
  stop(failure: XPayAuthError): void {
    for (const line of [this.#renewals, ...this.#lines.values()]) {
      for (const waiter of line.all()) waiter.settle(failure);
    }
  }

  get #isFull(): boolean {
    return this.#held >= this.parts.policy.maxConcurrent;
  }

  /** Updates the tables and the timer of parked callers after a change of a line. */
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

  /**
   * Makes the first parked caller of this username ready to take a place. Without `username`, uses the user who has waited
   * longest.
   */
  #unpark(line: Line, username = line.parked.keys().next().value): void {
    const parked = username === undefined ? undefined : line.parked.get(username);
    if (username === undefined || parked === undefined) return;
    // Move this username to the end, so that the other usernames come first the next time.
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
      // This line comes after the other lines now.
      this.#ready.delete(line);
      waiter?.settle();
    }
  }

  /** Returns the line whose next caller gets a place now, or `undefined` if no caller can get one. */
  #nextLine(): Line | undefined {
    if (this.#isFull) return undefined;
    if (this.#renewals.ready > 0) return this.#renewals;
    if (this.#held - this.#renewals.held >= this.#forNewcomers) return undefined;
    let fewest: Line | undefined;
    for (const line of this.#ready) {
      // The limit does not apply to callers without a known address, because they are not one network. It does not apply to quick
      // checks either, because quick checks do not make other callers wait.
      const isBounded = line.network !== undefined && line.quickInARow < this.#forOneNetwork;
      if (line.held >= (fewest?.held ?? (isBounded ? this.#forOneNetwork : Infinity))) continue;
      fewest = line;
      if (line.held === 0) break;
    }
    return fewest;
  }

  /**
   * If too many callers wait, evicts the newest caller of the network with the most waiting callers. If the network of the caller
   * who has just arrived has as many, evicts this caller.
   */
  #evictBeyondLimit(arrived: Line, waiter: Waiter): void {
    const { maxQueued } = this.parts.policy;
    if (this.waiting - this.#renewals.waiting <= maxQueued) return;
    let longest = arrived;
    for (const line of this.#lines.values()) if (line.waiting > longest.waiting) longest = line;
    const evicted = longest === arrived ? waiter : longest.all().at(-1);
    const message = `verification.maxQueued: ${maxQueued} callers are already waiting`;
    evicted?.settle(individualFailure(new XPayAuthError('overloaded', message)));
  }
}
