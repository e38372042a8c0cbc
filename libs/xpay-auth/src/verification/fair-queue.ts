import { LRUCache } from 'lru-cache';
import { PROBE_INTERVAL_MS } from '../async/backoff.js';
import type { AuditSink } from '../core/audit-events.js';
import type { CancelTimer, Clock } from '../core/clock.js';
import { XPayAuthError } from '../core/errors.js';
import type { Attempts } from '../rate-limit/attempts.js';
import { networkOf } from '../rate-limit/client-address.js';
import {
  type Authenticator,
  type PresentedCredentials,
  ReservationsOpen,
  type Verified,
  isRejection,
} from './presented-credentials.js';

export interface FairQueueParts {
  readonly clock: Clock;
  readonly policy: {
    /** Checks at the upstream at once. */
    readonly maxConcurrent: number;
    /** Callers who wait at once. */
    readonly maxQueued: number;
    /** Ms that a caller waits. */
    readonly queueTimeoutMs: number;
    /** Checks of one network that the upstream may leave undecided within a minute. @default no limit */
    readonly maxUndecided?: number | undefined;
  };
  readonly attempts: Pick<Attempts, 'refuseLockedOut' | 'free'>;
  readonly audit: AuditSink;
  readonly next: Authenticator;
}

/** The share of the places that only renewals take: at least one place, if there is more than one. */
const KEPT_FOR_RENEWALS = 1 / 4;
/** The share of the other places that one network may hold while its checks are not known to be quick. */
const SHARE_OF_A_NETWORK = 3 / 4;
/** A check of the upstream that takes longer is slow, in ms. */
const SLOW_MS = 500;
/** How many times `queueTimeoutMs` a caller waits whose line moves fast enough to serve it by then. */
const MOST_TIMEOUTS = 4;
/** Ms after which a caller whose limit is full of open reservations tries again: they may belong to other instances. */
const RETRY_MS = 100;
/** Ms, from the first undecided check, for which undecided checks are counted. */
const UNDECIDED_WINDOW_MS = 60_000;
/** Networks with undecided checks at once. Beyond it the least recent ones are dropped, and begin again. */
const MOST_UNDECIDED = 10_000;

/** Recent checks of one network that the upstream neither accepted nor rejected. Instants are on the monotonic clock. */
interface Undecided {
  count: number;
  readonly until: number;
  nextProbeAt: number;
}

/** One flight on its way through the queue. It may wait several times, and has one time limit for all of them. */
interface Waiter {
  readonly presented: PresentedCredentials;
  /** When it must have a place, on the monotonic clock. */
  endsAt: number;
  isExtended: boolean;
  /** Ends the wait: with a place, or with a failure. */
  settle: (failure?: XPayAuthError) => void;
}

/** The flights of one network that wait, and the places that it holds. The renewals of cached callers have a line too. */
class Line {
  /** Places that this network holds. */
  held = 0;
  /** Places that this network has been given so far. */
  served = 0;
  /** Checks in a row that the upstream decided quickly. */
  quickInARow = 0;
  waiting = 0;
  /** Tries one who is parked again. */
  cancelRetry: CancelTimer | undefined;
  /** Those who are ready to take a place: those who were parked before those who arrived. */
  readonly returned = new Set<Waiter>();
  readonly arrived = new Set<Waiter>();
  /** Those who wait for an open reservation to be settled, by username. */
  readonly parked = new Map<string, Set<Waiter>>();

  /** @param network `undefined`: renewals, or callers whose address is not known */
  constructor(readonly network: string | undefined) {}

  get ready(): number {
    return this.returned.size + this.arrived.size;
  }

  /** Everyone who waits, the newest last. */
  all(): Waiter[] {
    return [...this.returned, ...[...this.parked.values()].flatMap((some) => [...some]), ...this.arrived];
  }

  park(waiter: Waiter): void {
    const { username } = waiter.presented.by;
    const parked = this.parked.get(username) ?? new Set();
    this.parked.set(username, parked.add(waiter));
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
 * Third link: waits for one of the places at the upstream. The next place goes to a renewal that cannot wait, then to the network
 * that holds the fewest places, and of several such networks to the least recently served one: no network gets more by sending
 * more. Refuses a caller with `overloaded` when the queue is full, when the wait takes too long, or when the upstream has left
 * too many checks of its network undecided, which cost no attempt.
 */
export class FairQueue implements Authenticator {
  readonly #renewals = new Line(undefined);
  /** The lines of the networks that hold a place or wait. Callers without a known address share one. */
  readonly #lines = new Map<string | undefined, Line>();
  /** The lines with callers who are ready to take a place, the least recently served first. */
  readonly #ready = new Set<Line>();
  readonly #undecided = new LRUCache<string, Undecided>({ max: MOST_UNDECIDED });
  readonly #keptForRenewals: number;
  readonly #forNewcomers: number;
  readonly #forOneNetwork: number;
  /** Places that are held, and checks that wait, renewals included. */
  #held = 0;
  #waiting = 0;
  #stopped: XPayAuthError | undefined;

  constructor(private readonly parts: FairQueueParts) {
    const { maxConcurrent } = parts.policy;
    this.#keptForRenewals = Math.max(1, Math.floor(maxConcurrent * KEPT_FOR_RENEWALS));
    this.#forNewcomers = Math.max(1, maxConcurrent - this.#keptForRenewals);
    this.#forOneNetwork = Math.ceil(this.#forNewcomers * SHARE_OF_A_NETWORK);
  }

  /** The number of checks that wait. */
  get waiting(): number {
    return this.#waiting;
  }

  /**
   * Whether a renewal would run or wait now. One that can still be made later only runs while no caller waits.
   *
   * @param isUrgent the period of the caller is about to end
   */
  hasRoomForRenewal(isUrgent: boolean): boolean {
    const isFree = this.#renewals.held < this.#keptForRenewals || this.#ready.size === 0;
    return (isFree && !this.#isFull) || (isUrgent && this.#renewals.waiting < this.parts.policy.maxQueued);
  }

  async authenticate(presented: PresentedCredentials): Promise<Verified> {
    const { attempts, clock, next, policy } = this.parts;
    const { by, isEmpty, isRenewal } = presented;
    if (!isRenewal) attempts.refuseLockedOut(by);
    // Rejected without a call of the upstream.
    if (isEmpty) return next.authenticate(presented);
    const endsAt = clock.monotonic() + policy.queueTimeoutMs;
    const waiter: Waiter = { presented, endsAt, isExtended: false, settle: () => undefined };
    for (let isTriedAgain = false; ; isTriedAgain = true) {
      const line = isRenewal ? this.#renewals : this.#lineOf(by.address);
      await this.#wait(line, waiter, isTriedAgain || line.parked.has(by.username));
      const verified = await this.#check(line, waiter);
      if (verified !== undefined) return verified;
    }
  }

  /** The upstream was called, and neither accepted nor rejected the credentials of a caller from this address. */
  undecided(address: string | undefined): void {
    if (address === undefined) return;
    const now = this.parts.clock.monotonic();
    const network = networkOf(address);
    const recent = this.#undecidedOf(network);
    if (recent === undefined)
      this.#undecided.set(network, { count: 1, until: now + UNDECIDED_WINDOW_MS, nextProbeAt: now });
    else recent.count++;
  }

  /** Refuses everyone who waits, and everyone who arrives from now on. */
  stop(): void {
    const stopped = (this.#stopped = new XPayAuthError('shutting_down', 'The application is shutting down'));
    for (const line of [this.#renewals, ...this.#lines.values()])
      for (const waiter of line.all()) waiter.settle(stopped);
  }

  /**
   * Resolves with a place. Rejects with `overloaded` when the time is over, when others need the room, or when no client waits
   * any more, and with `too_many_attempts` when the caller is locked out meanwhile.
   */
  #wait(line: Line, waiter: Waiter, isParked: boolean): Promise<void> {
    const { clock, policy } = this.parts;
    return new Promise<void>((resolve, reject) => {
      let isOver = false;
      let cancel: CancelTimer | undefined;
      let stay: (() => void) | undefined;
      waiter.settle = (failure) => {
        isOver = true;
        cancel?.();
        stay?.();
        line.remove(waiter);
        line.waiting--;
        this.#waiting--;
        this.#update(line);
        if (failure === undefined) resolve();
        else reject(this.#refused(waiter.presented, failure));
      };
      const leave = (why: string): void => waiter.settle(new XPayAuthError('overloaded', why));
      if (this.#stopped !== undefined) return reject(this.#refused(waiter.presented, this.#stopped));
      line.waiting++;
      this.#waiting++;
      if (isParked) line.park(waiter);
      else line.arrived.add(waiter);
      this.#update(line);
      this.#grant();
      if (line !== this.#renewals) this.#evictBeyondLimit(line, waiter);
      if (isOver) return;
      const [ahead, served] = [line.ready, line.served];
      const timedOut = (): void => {
        const isMoving = !isParked && (line.served - served) * MOST_TIMEOUTS > ahead;
        if (waiter.isExtended || !isMoving) {
          return leave(`verification.queueTimeoutMs: no place within ${policy.queueTimeoutMs} ms`);
        }
        waiter.isExtended = true;
        waiter.endsAt += policy.queueTimeoutMs * (MOST_TIMEOUTS - 1);
        startTimer();
      };
      const startTimer = (): void => {
        cancel = clock.setTimer(timedOut, Math.max(0, waiter.endsAt - clock.monotonic()));
      };
      startTimer();
      stay = waiter.presented.callers?.onDeserted(() => leave('The client disconnected while it waited'));
    });
  }

  /** Reports a failure that says nothing about the credentials. Attempts have reported a lockout. */
  #refused({ by, purpose }: PresentedCredentials, failure: XPayAuthError): XPayAuthError {
    const { code: reason, reference } = failure;
    if (reason !== 'too_many_attempts') this.parts.audit({ type: 'undecided', purpose, ...by, reason, reference });
    return failure;
  }

  /** Runs the check. Returns `undefined` when a limit is reached only by checks that are under way. Releases the place. */
  async #check(line: Line, { presented }: Waiter): Promise<Verified | undefined> {
    const { clock, next } = this.parts;
    const startedAt = clock.monotonic();
    const isQuick = (): boolean => clock.monotonic() - startedAt <= SLOW_MS;
    let quick: boolean | undefined;
    try {
      if (line.network !== undefined) await this.#admit(line.network, line.held, presented);
      const verified = await next.authenticate(presented);
      quick = isQuick();
      if (line.network !== undefined) this.#undecided.delete(line.network);
      return verified;
    } catch (failure) {
      if (failure instanceof ReservationsOpen) return undefined;
      quick = isRejection(failure) && isQuick();
      throw failure;
    } finally {
      line.held--;
      this.#held--;
      if (quick !== undefined) {
        line.quickInARow = quick ? line.quickInARow + 1 : 0;
        // A reservation of this network is no longer open: one caller tries again for each counter that it was in.
        this.#unpark(line, presented.by.username);
        this.#unpark(line);
      }
      // Behind the lines that were served before.
      this.#ready.delete(line);
      this.#update(line);
      this.#grant();
    }
  }

  /**
   * Throws {@link ReservationsOpen} when the checks under way decide whether the network reaches its limit of undecided checks.
   * Beyond the limit one check a second passes, and the checks of users who were authenticated from this address. Throws
   * `overloaded` for any other.
   */
  async #admit(network: string, held: number, presented: PresentedCredentials): Promise<void> {
    const { attempts, clock, policy } = this.parts;
    const most = policy.maxUndecided ?? Infinity;
    const recent = this.#undecidedOf(network);
    if (recent === undefined || recent.count < most) {
      if ((recent?.count ?? 0) + held > most) throw new ReservationsOpen();
      return;
    }
    if (await attempts.free(presented.by).isFromTrustedAddress()) return;
    const retryAfterMs = recent.nextProbeAt - clock.monotonic();
    if (retryAfterMs > 0) {
      const message = `${recent.count} checks of this network were not decided within a minute`;
      throw this.#refused(presented, new XPayAuthError('overloaded', message, { retryAfterMs }));
    }
    recent.nextProbeAt = clock.monotonic() + PROBE_INTERVAL_MS;
  }

  #undecidedOf(network: string): Undecided | undefined {
    const recent = this.#undecided.get(network);
    return recent === undefined || recent.until <= this.parts.clock.monotonic() ? undefined : recent;
  }

  /** Lets the first parked caller of this username go on. Without a username it is the user who has waited longest. */
  #unpark(line: Line, username = line.parked.keys().next().value): void {
    const parked = username === undefined ? undefined : line.parked.get(username);
    if (username === undefined || parked === undefined) return;
    // The other usernames come first next time.
    line.parked.delete(username);
    line.parked.set(username, parked);
    for (const waiter of parked) {
      line.remove(waiter);
      try {
        this.parts.attempts.refuseLockedOut(waiter.presented.by);
      } catch (lockedOut) {
        waiter.settle(lockedOut as XPayAuthError);
        continue;
      }
      line.returned.add(waiter);
      break;
    }
  }

  #grant(): void {
    for (let line = this.#nextLine(); line !== undefined; line = this.#nextLine()) {
      const [waiter] = line.returned.size > 0 ? line.returned : line.arrived;
      line.held++;
      this.#held++;
      line.served++;
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
    if (this.#waiting - this.#renewals.waiting <= maxQueued) return;
    let longest = arrived;
    for (const line of this.#lines.values()) if (line.waiting > longest.waiting) longest = line;
    const evicted = longest === arrived ? waiter : longest.all().at(-1);
    evicted?.settle(new XPayAuthError('overloaded', `verification.maxQueued: ${maxQueued} checks wait already`));
  }

  get #isFull(): boolean {
    return this.#held >= this.parts.policy.maxConcurrent;
  }

  #lineOf(address: string | undefined): Line {
    const network = address === undefined ? undefined : networkOf(address);
    return this.#lines.get(network) ?? new Line(network);
  }

  /** Keeps the tables, and the timer of the parked callers, when a line has changed. */
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
}
