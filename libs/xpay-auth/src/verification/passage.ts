import type { AuditSink } from '../core/audit-events.js';
import type { CancelTimer, Clock } from '../core/clock.js';
import { XPayAuthError } from '../core/errors.js';
import type { Attempts } from '../rate-limit/attempts.js';
import { networkOf } from '../rate-limit/client-address.js';
import type { Waiter } from './network-line.js';
import type { NetworkKey, Places } from './places.js';
import type { PresentedCredentials } from './presented-credentials.js';

export interface PassageParts {
  readonly clock: Clock;
  readonly policy: {
    /** Ms that a caller waits. */
    readonly queueTimeoutMs: number;
  };
  readonly attempts: Pick<Attempts, 'refuseLockedOut'>;
  readonly audit: AuditSink;
}

/** How many times `queueTimeoutMs` a caller waits whose line moves fast enough to serve it by then. */
export const MOST_TIMEOUTS = 4;

/** One flight on its way through the queue. It may wait several times, and has one time limit for all of them. */
export class Passage {
  readonly network: NetworkKey;
  /** When it must have a place, on the monotonic clock. */
  #endsAt: number;
  #isExtended = false;

  constructor(
    private readonly parts: PassageParts,
    readonly presented: PresentedCredentials,
    private readonly places: Pick<Places, 'leave'>,
  ) {
    const { address } = presented.by;
    this.network = address === undefined ? undefined : networkOf(address);
    this.#endsAt = parts.clock.monotonic() + parts.policy.queueTimeoutMs;
  }

  /**
   * Resolves with a place. Rejects with `overloaded` when the time is over, when others need the room, or when no client waits
   * any more, and with `too_many_attempts` when the caller is locked out meanwhile.
   *
   * @param enter puts the waiter where it waits; it may have its place at once
   * @param isMoving whether the line has moved fast enough to wait longer
   */
  wait(enter: (waiter: Waiter) => void, isMoving: () => boolean = () => false): Promise<void> {
    const { attempts, clock, policy } = this.parts;
    const { by, callers } = this.presented;
    return new Promise<void>((resolve, reject) => {
      let cancel: CancelTimer | undefined;
      let stay: (() => void) | undefined;
      let isOver = false;
      const end = (): void => {
        isOver = true;
        cancel?.();
        stay?.();
        this.places.leave(this.network, waiter);
      };
      const refused = (failure: XPayAuthError): void => {
        end();
        reject(this.undecided(failure));
      };
      const leave = (why: string): void => refused(new XPayAuthError('overloaded', why));
      const timedOut = (): void => {
        if (this.#isExtended || !isMoving()) {
          return leave(`verification.queueTimeoutMs: no place within ${policy.queueTimeoutMs} ms`);
        }
        this.#isExtended = true;
        const moreMs = policy.queueTimeoutMs * (MOST_TIMEOUTS - 1);
        this.#endsAt += moreMs;
        cancel = clock.setTimer(timedOut, moreMs);
      };
      const waiter: Waiter = {
        username: by.username,
        granted: () => {
          end();
          resolve();
        },
        refused,
        mayGoOn: () => {
          try {
            attempts.refuseLockedOut(by);
            return true;
          } catch (lockedOut) {
            end();
            reject(lockedOut);
            return false;
          }
        },
      };
      enter(waiter);
      if (isOver) return;
      cancel = clock.setTimer(timedOut, Math.max(0, this.#endsAt - clock.monotonic()));
      stay = callers?.onDeserted(() => leave('The client disconnected while it waited'));
    });
  }

  /** Reports a failure that says nothing about the credentials, and returns it. */
  undecided(failure: XPayAuthError): XPayAuthError {
    const { code: reason, reference } = failure;
    const { by, purpose } = this.presented;
    this.parts.audit({ type: 'undecided', purpose, ...by, reason, reference });
    return failure;
  }
}
