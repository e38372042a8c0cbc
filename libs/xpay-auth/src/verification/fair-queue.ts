import { LRUCache } from 'lru-cache';
import { PROBE_INTERVAL_MS } from '../async/backoff.js';
import type { AuditSink } from '../core/audit-events.js';
import type { CancelTimer } from '../core/clock.js';
import { XPayAuthError } from '../core/errors.js';
import { networkOf } from '../rate-limit/client-address.js';
import { type Line, Places, type PlacesParts, type Waiter } from './places.js';
import {
  type Authenticator,
  type PresentedCredentials,
  ReservationsOpen,
  type Verified,
  isRejection,
} from './presented-credentials.js';

export interface FairQueueParts extends PlacesParts {
  readonly policy: PlacesParts['policy'] & {
    /** Ms that a caller waits. */
    readonly queueTimeoutMs: number;
    /** Checks of one network that the upstream may leave undecided within a minute. @default no limit */
    readonly maxUndecided?: number | undefined;
  };
  readonly audit: AuditSink;
  readonly next: Authenticator;
}

/** A check of the upstream that takes longer is slow, in ms. */
const SLOW_MS = 500;
/** How many times `queueTimeoutMs` a caller waits whose line moves fast enough to serve it by then. */
const MOST_TIMEOUTS = 4;
/** Ms, from the first undecided check, for which undecided checks are counted. */
const UNDECIDED_WINDOW_MS = 60_000;
/** Networks with undecided checks at once. Beyond it the least recent ones are dropped, and begin again. */
const MOST_UNDECIDED = 10_000;

/** Time limit of one check for all its waits. */
interface Patience {
  /** When the check must have a place, on the monotonic clock. */
  endsAt: number;
  isExtended: boolean;
}

/** Recent checks of one network that the upstream neither accepted nor rejected. Instants are on the monotonic clock. */
interface Undecided {
  count: number;
  readonly until: number;
  nextProbeAt: number;
}

/**
 * Third link: waits for one of the {@link Places} at the upstream. Refuses a caller with `overloaded` when the queue is full, when
 * the wait takes too long, or when the upstream has left too many checks of its network undecided. Those checks cost no attempt,
 * but each may hold a place until the deadline of the check.
 */
export class FairQueue implements Authenticator {
  readonly #places: Places;
  readonly #undecided = new LRUCache<string, Undecided>({ max: MOST_UNDECIDED });
  #stopped: XPayAuthError | undefined;

  constructor(private readonly parts: FairQueueParts) {
    this.#places = new Places(parts);
  }

  /** The number of checks that wait. */
  get waiting(): number {
    return this.#places.waiting;
  }

  /** Whether a renewal would run or wait now. @param isUrgent the period of the caller is about to end */
  hasRoomForRenewal(isUrgent: boolean): boolean {
    return this.#places.hasRoomForRenewal(isUrgent);
  }

  async authenticate(presented: PresentedCredentials): Promise<Verified> {
    const { attempts, clock, next, policy } = this.parts;
    const { by, isEmpty, isRenewal } = presented;
    if (!isRenewal) attempts.refuseLockedOut(by);
    // Rejected without a call of the upstream.
    if (isEmpty) return next.authenticate(presented);
    const patience = { endsAt: clock.monotonic() + policy.queueTimeoutMs, isExtended: false };
    for (let isSecondTry = false; ; isSecondTry = true) {
      const line = this.#places.lineOf(presented);
      const held = await this.#wait(line, presented, patience, isSecondTry || line.parked.has(by.username));
      const verified = await this.#check(line, presented, held);
      if (verified !== undefined) return verified;
    }
  }

  /** The upstream was called, and neither accepted nor rejected the credentials of a caller from this address. */
  undecided(address: string | undefined): void {
    if (address === undefined) return;
    const network = networkOf(address);
    const recent = this.#undecidedOf(network);
    const now = this.parts.clock.monotonic();
    if (recent !== undefined) recent.count++;
    else this.#undecided.set(network, { count: 1, until: now + UNDECIDED_WINDOW_MS, nextProbeAt: now });
  }

  /** Refuses everyone who waits, and everyone who arrives from now on. */
  stop(): void {
    this.#stopped = new XPayAuthError('shutting_down', 'The application is shutting down');
    this.#places.stop(this.#stopped);
  }

  /**
   * Waits for a place. Resolves with the number of places that the network holds then, this one included. Rejects with
   * `overloaded` when the time is over, when others need the room, or when no client waits any more, and with
   * `too_many_attempts` when the caller is locked out meanwhile.
   */
  #wait(line: Line, presented: PresentedCredentials, patience: Patience, isParked: boolean): Promise<number> {
    const { clock, policy } = this.parts;
    if (this.#stopped !== undefined) return Promise.reject(this.#refused(presented, this.#stopped));
    return new Promise<number>((resolve, reject) => {
      let isOver = false;
      let cancel: CancelTimer | undefined;
      let stay: (() => void) | undefined;
      const settle = (failure?: XPayAuthError): void => {
        isOver = true;
        cancel?.();
        stay?.();
        this.#places.leave(line, waiter);
        if (failure === undefined) resolve(line.held);
        else reject(this.#refused(presented, failure));
      };
      const waiter: Waiter = { presented, settle };
      this.#places.enter(line, waiter, isParked);
      if (isOver) return;
      const { ready, served } = line;
      const leave = (why: string): void => settle(new XPayAuthError('overloaded', why));
      const timedOut = (): void => {
        const isMoving = !isParked && (line.served - served) * MOST_TIMEOUTS > ready;
        if (patience.isExtended || !isMoving) {
          return leave(`verification.queueTimeoutMs: no place within ${policy.queueTimeoutMs} ms`);
        }
        patience.isExtended = true;
        patience.endsAt += policy.queueTimeoutMs * (MOST_TIMEOUTS - 1);
        startTimer();
      };
      const startTimer = (): void => {
        cancel = clock.setTimer(timedOut, Math.max(0, patience.endsAt - clock.monotonic()));
      };
      startTimer();
      stay = presented.callers?.onDeserted(() => leave('The client disconnected while it waited'));
    });
  }

  /** Runs the check. Returns `undefined` when a limit is reached only by checks that are under way. Releases the place. */
  async #check(line: Line, presented: PresentedCredentials, held: number): Promise<Verified | undefined> {
    const { clock, next } = this.parts;
    const { network } = line;
    const startedAt = clock.monotonic();
    const isQuick = (): boolean => clock.monotonic() - startedAt <= SLOW_MS;
    let quick: boolean | undefined;
    try {
      const admit: PresentedCredentials['admit'] =
        network === undefined ? undefined : (isTrusted) => this.#admit(network, held, isTrusted);
      const verified = await next.authenticate({ ...presented, admit });
      quick = isQuick();
      if (network !== undefined) this.#undecided.delete(network);
      return verified;
    } catch (failure) {
      if (failure instanceof ReservationsOpen) return undefined;
      quick = isRejection(failure) && isQuick();
      throw failure;
    } finally {
      this.#places.release(line, presented.by.username, quick);
    }
  }

  /**
   * Throws {@link ReservationsOpen} when the checks under way decide whether the network reaches its limit of undecided checks.
   * Beyond the limit one check a second passes, and the checks of users who were authenticated from this address. Throws
   * `overloaded` for any other.
   */
  async #admit(network: string, held: number, isTrusted: () => Promise<boolean>): Promise<void> {
    const { clock, policy } = this.parts;
    const most = policy.maxUndecided ?? Infinity;
    const recent = this.#undecidedOf(network);
    if (recent === undefined || recent.count < most) {
      if ((recent?.count ?? 0) + held > most) throw new ReservationsOpen();
      return;
    }
    if (await isTrusted()) return;
    const retryAfterMs = recent.nextProbeAt - clock.monotonic();
    if (retryAfterMs > 0) {
      const message = `${recent.count} checks of this network were not decided within a minute`;
      throw new XPayAuthError('overloaded', message, { retryAfterMs });
    }
    recent.nextProbeAt = clock.monotonic() + PROBE_INTERVAL_MS;
  }

  #undecidedOf(network: string): Undecided | undefined {
    const recent = this.#undecided.get(network);
    return recent === undefined || recent.until <= this.parts.clock.monotonic() ? undefined : recent;
  }

  /** Reports a failure that says nothing about the credentials. Attempts have reported a lockout. */
  #refused({ by, purpose }: PresentedCredentials, failure: XPayAuthError): XPayAuthError {
    const { code: reason, reference } = failure;
    if (reason !== 'too_many_attempts') this.parts.audit({ type: 'undecided', purpose, ...by, reason, reference });
    return failure;
  }
}
