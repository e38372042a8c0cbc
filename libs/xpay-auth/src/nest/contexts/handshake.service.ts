import { Inject, Injectable, type OnModuleDestroy, type Type } from '@nestjs/common';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { XPayAuthError } from '../../core/errors.js';
import type { Principal } from '../../core/principal.js';
import { XPayInstances } from '../instance/xpay-instances.js';
import { requirementOf } from '../requirement/requirement.js';
import { AccessControl } from './access-control.js';
import { callerOf } from './access-steps.js';
import { type UpgradeRequest, handshakeOf } from './handshakes.js';
import { SessionWatch } from './session-watch.js';
import { hangUp, onHangUp } from './socket-line.js';

/** An open socket is looked at so many times in a verification period, from memory while the period lasts. */
const LOOKS_IN_A_PERIOD = 8;

/**
 * Lets callers in where Nest runs no guard: when a socket of a WebSocket gateway is opened.
 *
 * ```ts
 * async handleConnection(client: Socket) {                            // socket.io
 * async handleConnection(client: WebSocket, request: IncomingMessage) // ws
 *   const caller = await this.handshake.accept(this, client, request);
 * ```
 */
@Injectable()
export class XPayHandshake implements OnModuleDestroy {
  readonly #watches = new Set<SessionWatch>();

  /** @hidden */
  constructor(
    @Inject(XPayInstances) private readonly instances: XPayInstances,
    @Inject(AccessControl) private readonly access: AccessControl,
  ) {}

  /**
   * Who opened this socket. The marks on the gateway's `handleConnection`, or on the gateway, say who may; without one any
   * valid caller. Who may not is told why (the event `exception`) and hung up on.
   *
   * From then on the socket is looked at eight times in each verification period, and hung up on as soon as its caller would
   * be refused: revoked, expired, or not accepted any more. Guards judge its messages by the same handshake, which is taken
   * off the socket. With ws, call it before any `await`: nothing else knows the request.
   *
   * @param gateway `this` of the gateway
   * @param request ws: the second argument of `handleConnection`; a socket of socket.io has its own
   * @returns `undefined` for nobody (under `@OptionalAuth()`), under `@Public()`, and for whom was hung up on. Never rejects.
   */
  async accept(gateway: object, client: object, request?: UpgradeRequest): Promise<Principal | undefined> {
    let watch: SessionWatch | undefined;
    try {
      handshakeOf(client, request);
      const { access, instance } = requirementOf(...handlerOf(gateway));
      if (access === 'public') return undefined;
      watch = this.#watch(gateway, client, instance);
      const caller = await this.#check(gateway, client);
      if (caller !== undefined) watch.start();
      return caller;
    } catch (thrown) {
      watch?.stop();
      await this.#disconnect(client, thrown);
      return undefined;
    }
  }

  /** Nest calls it. */
  onModuleDestroy(): void {
    for (const watch of this.#watches) watch.stop();
  }

  /** Decides as the guards do about a message, each time again: the arguments are new, so they are another operation. */
  async #check(gateway: object, client: object): Promise<Principal | undefined> {
    const host = new ExecutionContextHost([client, undefined], ...handlerOf(gateway));
    host.setType('ws');
    await this.access.authenticate(host);
    await this.access.authorize(host);
    return callerOf(host);
  }

  /** Not started yet, so that a socket that is closed meanwhile is not checked for ever. */
  #watch(gateway: object, client: object, instance: string | undefined): SessionWatch {
    const { clock, verification } = this.instances.get(instance).options;
    const everyMs = verification.periodMs / LOOKS_IN_A_PERIOD;
    const check = (): Promise<unknown> => this.#check(gateway, client);
    const watch = new SessionWatch(clock, everyMs, check, (thrown) => void this.#disconnect(client, thrown));
    this.#watches.add(watch);
    onHangUp(client, () => {
      watch.stop();
      this.#watches.delete(watch);
    });
    return watch;
  }

  async #disconnect(client: object, thrown: unknown): Promise<void> {
    const { cause } = thrown as { cause?: unknown };
    const failure = cause instanceof XPayAuthError ? cause : this.access.failureOf(thrown);
    try {
      await hangUp(client, failure);
    } catch {
      // It is closed already.
    }
  }
}

/** The decorators of `handleConnection` count, else those of the gateway. */
function handlerOf(gateway: object): [controller: Type, handler: () => unknown] {
  const controller = gateway.constructor as Type;
  const { handleConnection } = gateway as { handleConnection?: () => unknown };
  return [controller, handleConnection ?? (controller as unknown as () => unknown)];
}
