import { Inject, Injectable, type OnModuleDestroy, type Type } from '@nestjs/common';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import type { CancelTimer } from '../../core/clock.js';
import { XPayAuthError } from '../../core/errors.js';
import type { Principal } from '../../core/principal.js';
import { XPayInstances } from '../instance/xpay-instances.js';
import { requirementOf } from '../requirement/requirement.js';
import { callerOf } from '../contexts/contexts.js';
import { type UpgradeRequest, handshakeOf } from '../contexts/handshakes.js';
import { disconnect, isDisconnected, onDisconnect } from '../contexts/socket.context.js';
import { AccessControl, authenticate, authorize } from './xpay-auth.guard.js';

/** How often an open socket is checked in a verification period, from the cache while the period lasts. */
const CHECKS_PER_PERIOD = 8;

/**
 * Authenticates callers where Nest runs no guard: when a socket of a WebSocket gateway is opened.
 *
 * ```ts
 * async handleConnection(client: Socket) {                            // socket.io
 * async handleConnection(client: WebSocket, request: IncomingMessage) // ws
 *   const caller = await this.handshake.accept(this, client, request);
 * ```
 */
@Injectable()
export class XPayHandshake implements OnModuleDestroy {
  /** Ends the checks of each open socket. */
  readonly #stops = new Set<() => void>();

  /** @hidden */
  constructor(
    @Inject(XPayInstances) private readonly instances: XPayInstances,
    @Inject(AccessControl) private readonly access: AccessControl,
  ) {}

  /**
   * Returns the caller who opened this socket. The decorators on the gateway's `handleConnection`, or on the gateway, say who
   * may; without one any valid caller. Any other caller receives the event `exception` and is disconnected.
   *
   * From then on the socket is checked eight times in each verification period, and disconnected as soon as its caller would
   * be rejected: revoked, expired, or not accepted any more. Guards judge its messages by the same handshake, which is taken
   * off the socket. With ws, call it before any `await`: the request is not available later.
   *
   * @param gateway `this` of the gateway
   * @param request ws: the second argument of `handleConnection`; a socket of socket.io has its own
   * @returns `undefined` for an anonymous caller (under `@OptionalAuth()`), under `@Public()`, and for a caller who was
   *   disconnected or has left already. Never rejects.
   */
  async accept(gateway: object, client: object, request?: UpgradeRequest): Promise<Principal | undefined> {
    const reject = async (thrown: unknown): Promise<undefined> => {
      const { cause } = thrown as { cause?: unknown };
      const failure = cause instanceof XPayAuthError ? cause : this.access.failureOf(thrown);
      // Fails where the socket is closed already.
      await disconnect(client, failure).catch(() => undefined);
    };
    try {
      handshakeOf(client, request);
      const { access, instance } = requirementOf(...handlerOf(gateway));
      // A client may leave while the app waits for something else.
      if (access === 'public' || isDisconnected(client)) return undefined;
      const watch = this.#watcher(client, instance, () => this.#check(gateway, client), reject);
      const caller = await this.#check(gateway, client);
      if (caller !== undefined) watch();
      return caller;
    } catch (thrown) {
      return reject(thrown);
    }
  }

  /** Nest calls it. */
  onModuleDestroy(): void {
    for (const stop of this.#stops) stop();
  }

  /** Decides as the guards do about a message. The arguments are new each time, so they are another operation. */
  async #check(gateway: object, client: object): Promise<Principal | undefined> {
    const host = new ExecutionContextHost([client, undefined], ...handlerOf(gateway));
    host.setType('ws');
    await this.access.decide(host, authenticate);
    await this.access.decide(host, authorize);
    return callerOf(host);
  }

  /**
   * Returns what starts the checks, each some time after the one before it ended. They end when the socket is closed, also
   * when that happens before the start, or when one fails.
   */
  #watcher(
    client: object,
    instance: string | undefined,
    check: () => Promise<unknown>,
    onFailure: (thrown: unknown) => unknown,
  ): () => void {
    const { clock, verification } = this.instances.get(instance).options;
    let cancel: CancelTimer | undefined;
    const stop = (): void => {
      cancel?.();
      this.#stops.delete(stop);
    };
    const isOpen = (): boolean => this.#stops.has(stop);
    const schedule = (): void => {
      // The app may have removed the listener.
      if (isDisconnected(client)) stop();
      if (!isOpen()) return;
      cancel = clock.setTimer(
        () => void check().then(schedule, (thrown: unknown) => isOpen() && onFailure(thrown)),
        verification.periodMs / CHECKS_PER_PERIOD,
      );
    };
    this.#stops.add(stop);
    onDisconnect(client, stop);
    return schedule;
  }
}

/** The decorators of `handleConnection` count, else those of the gateway. */
function handlerOf(gateway: object): [controller: Type, handler: () => unknown] {
  const controller = gateway.constructor as Type;
  const { handleConnection } = gateway as { handleConnection?: () => unknown };
  return [controller, handleConnection ?? (controller as unknown as () => unknown)];
}
