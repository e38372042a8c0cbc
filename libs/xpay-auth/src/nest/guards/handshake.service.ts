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
import { AccessControl, authenticate } from './xpay-auth.guard.js';

/** Number of checks of an open socket in each verification period. Until the period ends, the cache answers these checks. */
const CHECKS_PER_PERIOD = 8;

/**
 * Authenticates the caller who opens a socket of a WebSocket gateway, because Nest runs no guard for the opening of a socket.
 *
 * ```ts
 * async handleConnection(client: Socket) {                            // socket.io
 * async handleConnection(client: WebSocket, request: IncomingMessage) // ws
 *   const caller = await this.handshake.accept(this, client, request);
 * ```
 */
@Injectable()
export class XPayHandshake implements OnModuleDestroy {
  /** For each open socket, the function that stops its checks. */
  readonly #stops = new Set<() => void>();

  /** @hidden */
  constructor(
    @Inject(XPayInstances) private readonly instances: XPayInstances,
    @Inject(AccessControl) private readonly access: AccessControl,
  ) {}

  /**
   * Returns the caller who opened this socket. The decorators on the gateway's `handleConnection`, or else on the gateway,
   * declare which callers are accepted. Without a decorator, every valid caller is accepted. A rejected caller receives the event
   * `exception` and is disconnected.
   *
   * Afterwards the socket is checked eight times in each verification period. The socket is disconnected at the first check that
   * rejects the caller, because the credentials are revoked, expired, or no longer accepted. Guards check each message with the
   * same credentials. The credentials are removed from the socket itself. With ws, call this method before any `await`, because
   * the request is not available later.
   *
   * @param gateway `this` of the gateway
   * @param request with ws, the second argument of `handleConnection`. Not needed with socket.io
   * @returns `undefined` for an anonymous caller (under `@OptionalAuth()`), for every caller under `@Public()`, for a rejected
   *   caller, and for a client that has already disconnected. Never rejects.
   */
  async accept(gateway: object, client: object, request?: UpgradeRequest): Promise<Principal | undefined> {
    const reject = async (thrown: unknown): Promise<undefined> => {
      const { cause } = thrown as { cause?: unknown };
      const failure = cause instanceof XPayAuthError ? cause : this.access.failureOf(thrown);
      // `disconnect` fails if the socket is already closed.
      await disconnect(client, failure).catch(() => undefined);
    };
    try {
      handshakeOf(client, request);
      const { access, instance } = requirementOf(...handlerOf(gateway));
      // The client may have disconnected while the app awaited something before this call.
      if (access === 'public' || isDisconnected(client)) return undefined;
      const watch = this.#watcher(client, instance, () => this.#check(gateway, client), reject);
      const caller = await this.#check(gateway, client);
      if (caller !== undefined) watch();
      return caller;
    } catch (thrown) {
      return reject(thrown);
    }
  }

  /** Called by Nest. Stops the checks of all open sockets. */
  onModuleDestroy(): void {
    for (const stop of this.#stops) stop();
  }

  /** Runs the same two steps as the guards of a message. Each check has new arguments, so it is a new operation. */
  async #check(gateway: object, client: object): Promise<Principal | undefined> {
    const host = new ExecutionContextHost([client, undefined], ...handlerOf(gateway));
    host.setType('ws');
    await this.access.decide(host, authenticate);
    return callerOf(host);
  }

  /**
   * Returns a function that starts the checks of a socket. The wait for the next check begins when the previous check has ended.
   * The checks stop when the socket is closed or a check fails. They never start if the socket is closed before the start.
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
      // If the app removed the listener, `stop` has not run although the socket is closed.
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

/** Returns the class and the function whose decorators apply: those of `handleConnection`, or else those of the gateway. */
function handlerOf(gateway: object): [controller: Type, handler: () => unknown] {
  const controller = gateway.constructor as Type;
  const { handleConnection } = gateway as { handleConnection?: () => unknown };
  return [controller, handleConnection ?? (controller as unknown as () => unknown)];
}
