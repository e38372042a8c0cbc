import { LRUCache } from 'lru-cache';
import { PROBE_INTERVAL_MS } from '../async/backoff.js';
import { XPayAuthError } from '../core/errors.js';
import { networkOf } from '../rate-limit/client-address.js';
import { ReservationsOpen } from './presented-credentials.js';

/** Ms, from the first undecided check, for which undecided checks are counted. */
const WINDOW_MS = 60_000;
/** Networks with undecided checks at once. Beyond it the least recent ones are dropped, and begin again. */
const MOST_NETWORKS = 10_000;

interface Network {
  /** Checks under way. */
  open: number;
  /** Checks that the upstream neither accepted nor rejected. */
  undecided: number;
  /** End of the window, on the monotonic clock. */
  until: number;
  nextProbeAt: number;
}

/** One check that may begin. Exactly one of these must be called. */
export interface AdmittedCheck {
  /** The upstream accepted the credentials: the network begins again. */
  accepted(): void;
  /** The upstream rejected them, or was not called. */
  decided(): void;
  /** The upstream neither accepted nor rejected them. */
  undecided(now: number): void;
}

const uncounted: AdmittedCheck = { accepted: () => undefined, decided: () => undefined, undecided: () => undefined };

/**
 * Limits the checks of one network that the upstream does not decide: they cost no attempt, but each may hold a place until
 * the deadline. Beyond the limit one check a second passes, and those of users who were authenticated from there.
 */
export class UndecidedLimit {
  readonly #networks = new LRUCache<string, Network>({ max: MOST_NETWORKS });

  /** @param most undecided checks of one network within a minute; `undefined`: no limit */
  constructor(private readonly most: number | undefined) {}

  /**
   * Throws `overloaded` beyond the limit, and {@link ReservationsOpen} when the checks under way decide whether it is reached.
   *
   * @param isTrusted whether the user was authenticated from this address recently; called only where that decides
   */
  async admit(
    address: string | undefined,
    monotonic: () => number,
    isTrusted: () => Promise<boolean>,
  ): Promise<AdmittedCheck> {
    if (address === undefined || this.most === undefined) return uncounted;
    const key = networkOf(address);
    const isLimited = this.#at(key, monotonic()).undecided >= this.most;
    const isExempt = isLimited && (await isTrusted());
    const network = this.#at(key, monotonic());
    if (isLimited && !isExempt) probe(network, monotonic());
    if (!isLimited && network.undecided + network.open >= this.most) throw new ReservationsOpen();
    network.open++;
    const settle = (undecided: number): void => {
      network.open--;
      network.undecided = undecided;
      if (network.open <= 0 && undecided === 0 && this.#networks.peek(key) === network) this.#networks.delete(key);
    };
    return {
      accepted: () => settle(0),
      decided: () => settle(network.undecided),
      undecided: (at) => {
        const isFirst = network.undecided === 0 || network.until <= at;
        if (isFirst) network.until = at + WINDOW_MS;
        settle(isFirst ? 1 : network.undecided + 1);
      },
    };
  }

  #at(key: string, now: number): Network {
    const network = this.#networks.get(key) ?? { open: 0, undecided: 0, until: now, nextProbeAt: now };
    this.#networks.set(key, network);
    if (network.until <= now) network.undecided = 0;
    return network;
  }
}

/** Lets one check a second pass. Throws `overloaded` for any other. */
function probe(network: Network, now: number): void {
  if (now < network.nextProbeAt) {
    const message = `${network.undecided} checks of this network were not decided within a minute`;
    throw new XPayAuthError('overloaded', message, { retryAfterMs: network.nextProbeAt - now });
  }
  network.nextProbeAt = now + PROBE_INTERVAL_MS;
}
