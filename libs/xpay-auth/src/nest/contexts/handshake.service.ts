import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { XPayAuthError } from '../../core/errors.js';
import { Principal } from '../../core/principal.js';
import { meets } from '../../core/scopes.js';
import { insufficientScope } from './denial.js';
import { type Requirement, requirementOf } from '../requirement/requirement.js';
import { ExceptionFactory } from './exception-factory.js';
import { XPayInstances } from '../instance/xpay-instances.js';
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
    @Inject(ExceptionFactory) private readonly refusal: ExceptionFactory,
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
    const { handleConnection } = gateway as { handleConnection?: object };
    const requirement = requirementOf(gateway.constructor, handleConnection ?? gateway.constructor);
    let watch: SessionWatch | undefined;
    try {
      handshakeOf(client, request);
      if (requirement.access === 'public') return undefined;
      watch = this.#watch(client, requirement);
      const caller = await this.#check(client, requirement);
      if (caller !== undefined) watch.start();
      return caller;
    } catch (thrown) {
      watch?.stop();
      await this.#refuse(client, thrown);
      return undefined;
    }
  }

  /** Nest calls it. */
  onModuleDestroy(): void {
    for (const watch of this.#watches) watch.stop();
  }

  async #check(client: object, requirement: Requirement): Promise<Principal | undefined> {
    const request = handshakeOf(client);
    const instance = this.instances.get(requirement.instance);
    try {
      const caller = await instance.strategy.validate(request);
      if (meets(caller.scopes, requirement)) return caller;
      throw insufficientScope(caller, requirement, instance, request);
    } catch (thrown) {
      const nobody = thrown instanceof XPayAuthError && thrown.code === 'missing_credentials';
      if (nobody && requirement.access === 'optional') return undefined;
      throw thrown;
    }
  }

  /** Not started yet, so that a socket that is closed meanwhile is not looked at for ever. */
  #watch(client: object, requirement: Requirement): SessionWatch {
    const { clock, verification } = this.instances.get(requirement.instance).options;
    const everyMs = verification.periodMs / LOOKS_IN_A_PERIOD;
    const look = (): Promise<unknown> => this.#check(client, requirement);
    const watch = new SessionWatch(clock, everyMs, look, (thrown) => void this.#refuse(client, thrown));
    this.#watches.add(watch);
    onHangUp(client, () => {
      watch.stop();
      this.#watches.delete(watch);
    });
    return watch;
  }

  async #refuse(client: object, thrown: unknown): Promise<void> {
    const failure = this.refusal.failureOf(thrown);
    try {
      await hangUp(client, failure);
    } catch {
      // Gone already.
    }
  }
}
