import { LRUCache } from 'lru-cache';
import { PROBE_INTERVAL_MS } from '../async/backoff.js';
import type { AuditSink } from '../core/audit-events.js';
import type { CancelTimer } from '../core/clock.js';
import { XPayAuthError, shuttingDown } from '../core/errors.js';
import { networkOf } from '../rate-limit/client-address.js';
import { type Line, Places, type PlacesParts, type Waiter } from './places.js';
import {
  type Authenticator,
  type PresentedCredentials,
  ReservationsOpen,
  type Verified,
  individualFailure,
  isRejection,
  undecided,
} from './presented-credentials.js';

export interface FairQueueParts extends PlacesParts {
  readonly policy: PlacesParts['policy'] & {
    /** Maximum wait of a caller in ms. */
    readonly queueTimeoutMs: number;
    /** Maximum number of undecided checks of one network within a minute. @default no limit */
    readonly maxUndecided?: number | undefined;
  };
  readonly audit: AuditSink;
  readonly next: Authenticator;
}

/** Ms after which a check counts as slow. */
const SLOW_MS = 500;
/**
 * Factor by which `queueTimeoutMs` is extended for a caller whose line moves fast enough to serve the caller within the extended
 * time.
 */
const MOST_TIMEOUTS = 4;
/** Length in ms of the period in which undecided checks are counted. The period begins with the first undecided check. */
const UNDECIDED_WINDOW_MS = 60_000;
/**
 * Maximum number of networks whose undecided checks are counted. Beyond the maximum, the least recently used networks are
 * evicted, and their counts restart at 0.
 */
const MOST_UNDECIDED = 10_000;

/** Maximum time for which one check waits in total, even if it waits for a place more than once. */
interface Patience {
  /** Time on the monotonic clock at which the wait for a place ends. */
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
 * Third link in the chain of authenticators: waits for one of the {@link Places} at the upstream. Refuses a caller with
 * `overloaded` if the queue is full, if the wait takes too long, or if too many checks of the caller's network were undecided.
 * Undecided checks do not count as failed attempts, but each of them may occupy a place until the deadline of the check.
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

  /**
   * Whether a renewal that begins now would get a place immediately, or is allowed to wait for one.
   *
   * @param isUrgent the period of the caller is about to end
   */
  hasRoomForRenewal(isUrgent: boolean): boolean {
    return this.#places.hasRoomForRenewal(isUrgent);
  }

  async authenticate(presented: PresentedCredentials): Promise<Verified> {
    const { attempts, clock, next, policy } = this.parts;
    const { by, isEmpty, isRenewal } = presented;
    if (!isRenewal) attempts.refuseLockedOut(by);
    // Empty credentials need no place, because they are rejected without a call of the upstream.
    if (isEmpty) return next.authenticate(presented);
    const patience = { endsAt: clock.monotonic() + policy.queueTimeoutMs, isExtended: false };
    for (let isSecondTry = false; ; isSecondTry = true) {
      const line = this.#places.lineOf(presented);
      const held = await this.#wait(line, presented, patience, isSecondTry || line.parked.has(by.username));
      const verified = await this.#check(line, presented, held);
      if (verified !== undefined) return verified;
    }
  }

  /** Call this method after an undecided check of a caller from this address. */
  undecided(address: string | undefined): void {
    if (address === undefined) return;
    const network = networkOf(address);
    const recent = this.#undecidedOf(network);
    const now = this.parts.clock.monotonic();
    if (recent !== undefined) recent.count++;
    else this.#undecided.set(network, { count: 1, until: now + UNDECIDED_WINDOW_MS, nextProbeAt: now });
  }

  /** Refuses all callers who wait and all later callers. */
  stop(): void {
    this.#stopped = shuttingDown();
    this.#places.stop(this.#stopped);
  }

  /**
   * Waits for a place. Resolves with the number of places that the network then holds, including the new place. Rejects with
   * `overloaded` when the maximum wait is over, when the caller is evicted from a full queue, or when no client waits any more.
   * Rejects with `too_many_attempts` if the caller is locked out during the wait.
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
      const timedOut = (): void => {
        const isMoving = !isParked && (line.served - served) * MOST_TIMEOUTS > ready;
        if (patience.isExtended || !isMoving) {
          return settle(overloaded(`verification.queueTimeoutMs: no place within ${policy.queueTimeoutMs} ms`));
        }
        patience.isExtended = true;
        patience.endsAt += policy.queueTimeoutMs * (MOST_TIMEOUTS - 1);
        startTimer();
      };
      const startTimer = (): void => {
        cancel = clock.setTimer(timedOut, Math.max(0, patience.endsAt - clock.monotonic()));
      };
      startTimer();
      const left = (): void => settle(individualFailure(overloaded('The client disconnected while it waited')));
      stay = presented.callers?.onDeserted(left);
    });
  }

  /** Runs the check and then releases the place. Returns `undefined` if a limit is reached only because of checks in progress. */
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
   * Throws {@link ReservationsOpen} if the network may reach its limit of undecided checks through the checks in progress. When
   * the limit is reached, allows one check per second, and checks from addresses that are trusted for the user. Throws
   * `overloaded` for any other check.
   */
  #admit(network: string, held: number, isTrusted: () => Promise<boolean>): Promise<void> | undefined {
    const most = this.parts.policy.maxUndecided ?? Infinity;
    const recent = this.#undecidedOf(network);
    if (recent !== undefined && recent.count >= most) return this.#admitBeyondLimit(recent, isTrusted);
    if ((recent?.count ?? 0) + held > most) throw new ReservationsOpen();
    return undefined;
  }

  async #admitBeyondLimit(recent: Undecided, isTrusted: () => Promise<boolean>): Promise<void> {
    const { clock } = this.parts;
    if (await isTrusted()) return;
    const retryAfterMs = recent.nextProbeAt - clock.monotonic();
    if (retryAfterMs > 0) {
      const message = `${recent.count} checks of this network were not decided within a minute`;
      throw individualFailure(new XPayAuthError('overloaded', message, { retryAfterMs }));
    }
    recent.nextProbeAt = clock.monotonic() + PROBE_INTERVAL_MS;
  }

  #undecidedOf(network: string): Undecided | undefined {
    const recent = this.#undecided.get(network);
    return recent === undefined || recent.until <= this.parts.clock.monotonic() ? undefined : recent;
  }

  /**
   * Emits an audit event for a caller whose credentials were not checked. A lockout has no second event, because `Attempts` has
   * already emitted one.
   */
  #refused(presented: PresentedCredentials, failure: XPayAuthError): XPayAuthError {
    return failure.code === 'too_many_attempts' ? failure : undecided(this.parts.audit, presented, failure);
  }
}

function overloaded(message: string): XPayAuthError {
  return new XPayAuthError('overloaded', message);
}
