import type { CancelTimer } from '../core/clock.js';
import { XPayAuthError } from '../core/errors.js';
import type { NetworkLine } from './network-line.js';
import { MOST_TIMEOUTS, Passage, type PassageParts } from './passage.js';
import { type NetworkKey, Places, type PlacesPolicy } from './places.js';
import {
  type Authenticator,
  type PresentedCredentials,
  ReservationsOpen,
  type Verified,
  isRejection,
} from './presented-credentials.js';

export interface FairQueueParts extends PassageParts {
  readonly policy: PlacesPolicy & PassageParts['policy'];
  readonly next: Authenticator;
}

/** Ms after which a caller whose limit is full of open reservations tries again: they may belong to other instances. */
const RETRY_MS = 100;
/** A check of the upstream that takes longer is slow, in ms. */
const SLOW_MS = 500;

/**
 * Third link: waits for one of the places at the upstream. Refuses a caller with `overloaded` when the queue is full or the
 * wait takes too long, and leaves the queue when no one waits for the check any more.
 */
export class FairQueue implements Authenticator {
  readonly #places: Places;
  readonly #retries = new Map<NetworkKey, CancelTimer>();
  #stopped: XPayAuthError | undefined;

  constructor(private readonly parts: FairQueueParts) {
    this.#places = new Places(parts.policy);
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
    const { attempts, next } = this.parts;
    const { by, isEmpty, isRenewal } = presented;
    if (!isRenewal) attempts.refuseLockedOut(by);
    // Rejected without a call of the upstream.
    if (isEmpty) return next.authenticate(presented);
    const passage = new Passage(this.parts, presented, this.#places);
    if (isRenewal) return this.#renew(passage);
    let isParked = this.#places.hasParked(passage.network, by.username);
    for (;;) {
      await (isParked ? this.#park(passage) : this.#arrive(passage));
      const verified = await this.#check(passage);
      if (verified !== undefined) return verified;
      isParked = true;
    }
  }

  /** Refuses everyone who waits. */
  stop(): void {
    this.#stopped = new XPayAuthError('shutting_down', 'The application is shutting down');
    this.#places.stop(this.#stopped);
    for (const cancel of this.#retries.values()) cancel();
    this.#retries.clear();
  }

  async #renew(passage: Passage): Promise<Verified> {
    await this.#wait(passage, (waiter) => this.#places.renew(waiter));
    try {
      return await this.parts.next.authenticate(passage.presented);
    } finally {
      this.#places.releaseRenewal();
    }
  }

  /** Returns `undefined` when the limit of the caller is reached only by reservations that are open. Releases the place. */
  async #check({ presented, network }: Passage): Promise<Verified | undefined> {
    const { clock, next } = this.parts;
    const startedAt = clock.monotonic();
    const isQuick = (): boolean => clock.monotonic() - startedAt <= SLOW_MS;
    let quick: boolean | undefined;
    try {
      const verified = await next.authenticate(presented);
      quick = isQuick();
      this.#settled(presented, network);
      return verified;
    } catch (failure) {
      if (failure instanceof ReservationsOpen) return undefined;
      quick = isRejection(failure) && isQuick();
      this.#settled(presented, network);
      throw failure;
    } finally {
      this.#places.release(network, quick);
    }
  }

  /** A reservation of this network is no longer open: lets one caller try again for each counter that it was in. */
  #settled({ by }: PresentedCredentials, network: NetworkKey): void {
    this.#places.unpark(network, by.username);
    this.#places.unpark(network);
  }

  #arrive(passage: Passage): Promise<void> {
    let line: NetworkLine | undefined;
    let [ahead, served] = [0, 0];
    const isMoving = (): boolean => line !== undefined && (line.served - served) * MOST_TIMEOUTS > ahead;
    return this.#wait(
      passage,
      (waiter) => {
        line = this.#places.arrive(passage.network, waiter);
        [ahead, served] = [line.ready, line.served];
      },
      isMoving,
    );
  }

  #park(passage: Passage): Promise<void> {
    const { network } = passage;
    const parked = this.#wait(passage, (waiter) => this.#places.park(network, waiter));
    if (!this.#retries.has(network)) this.#retryLater(network);
    return parked;
  }

  #retryLater(network: NetworkKey): void {
    if (!this.#places.hasParked(network)) return void this.#retries.delete(network);
    const retry = (): void => {
      this.#places.unpark(network);
      this.#retryLater(network);
    };
    this.#retries.set(network, this.parts.clock.setTimer(retry, RETRY_MS));
  }

  #wait(passage: Passage, ...how: Parameters<Passage['wait']>): Promise<void> {
    return this.#stopped === undefined ? passage.wait(...how) : Promise.reject(passage.undecided(this.#stopped));
  }
}
