import { type ArgumentsHost, Catch, Inject, UseFilters, type WsExceptionFilter } from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { WsAdapter } from '@nestjs/platform-ws';
import { BaseWsExceptionFilter, SubscribeMessage, WebSocketGateway, WsException } from '@nestjs/websockets';
import type { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import {
  Authenticated,
  CurrentUser,
  OptionalAuth,
  type Principal,
  Public,
  Scopes,
  XPayAuthFilter,
  type XPayAuthOptions,
  XPayHandshake,
  XPayHttpService,
} from 'nestjs-xpay-auth';
import { type ContextApp, startContextApp } from './context-app.js';
import { type GatewayClient, type Opening, type Transport, openSocket } from './gateway-client.js';

/** The callers and messages that the gateways received, for assertions. */
export class Seen {
  /** The sockets of the server. */
  readonly sockets: object[] = [];
  readonly accepted: (Principal | undefined)[] = [];
  readonly exceptions: WsException[] = [];
  /** The late gateway waits for this before it accepts a socket. */
  beforeAccept: Promise<unknown> = Promise.resolve();
}

const answer = (data: unknown) => ({ event: 'answer', data });

@Catch(WsException)
class SeeingFilter implements WsExceptionFilter<WsException> {
  constructor(@Inject(Seen) private readonly seen: Seen) {}

  catch(exception: WsException, host: ArgumentsHost): void {
    this.seen.exceptions.push(exception);
    new BaseWsExceptionFilter().catch(exception, host);
  }
}

/** Any client may connect; each message has its own requirement. */
@UseFilters(SeeingFilter, XPayAuthFilter)
@WebSocketGateway({ path: '/open' })
class OpenGateway {
  constructor(
    @Inject(Seen) private readonly seen: Seen,
    @Inject(XPayHandshake) private readonly handshake: XPayHandshake,
    @Inject(XPayHttpService) private readonly xpay: XPayHttpService,
  ) {}

  @OptionalAuth()
  async handleConnection(client: object, request?: IncomingMessage): Promise<void> {
    this.seen.sockets.push(client);
    this.seen.accepted.push(await this.handshake.accept(this, client, request));
  }

  @Authenticated()
  @SubscribeMessage('me')
  me(@CurrentUser() { username }: Principal) {
    return answer(username);
  }

  @Scopes('tme_user')
  @SubscribeMessage('user')
  user(@CurrentUser() { username }: Principal) {
    return answer(username);
  }

  @Scopes('tme_admin')
  @SubscribeMessage('admin')
  admin() {
    return answer('admin');
  }

  @OptionalAuth()
  @SubscribeMessage('optional')
  optional(@CurrentUser() caller: Principal | undefined) {
    return answer(caller?.username ?? 'nobody');
  }

  @Public()
  @SubscribeMessage('open')
  open() {
    return answer('open');
  }

  @SubscribeMessage('unmarked')
  unmarked() {
    return answer('unmarked');
  }

  @SubscribeMessage('unmarked-user')
  unmarkedUser(@CurrentUser() { username }: Principal) {
    return answer(username);
  }

  @Public()
  @SubscribeMessage('public-user')
  publicUser(@CurrentUser() { username }: Principal) {
    return answer(username);
  }

  @Public()
  @SubscribeMessage('outbound')
  async outbound() {
    return answer(await this.xpay.post('/client/wallets/find'));
  }
}

/** Only callers with `tme_user` may connect, by the decorator of the class. */
@Scopes('tme_user')
@WebSocketGateway({ path: '/closed' })
export class ClosedGateway {
  constructor(
    @Inject(Seen) private readonly seen: Seen,
    @Inject(XPayHandshake) private readonly handshake: XPayHandshake,
  ) {}

  async handleConnection(client: object, request?: IncomingMessage): Promise<void> {
    this.seen.sockets.push(client);
    this.seen.accepted.push(await this.handshake.accept(this, client, request));
  }

  @SubscribeMessage('me')
  me(@CurrentUser() { username }: Principal) {
    return answer(username);
  }
}

/** Has no `handleConnection`: it accepts sockets in an event listener of the server. */
@Scopes('tme_user')
@WebSocketGateway({ path: '/listener' })
class ListenerGateway {
  constructor(
    @Inject(Seen) private readonly seen: Seen,
    @Inject(XPayHandshake) private readonly handshake: XPayHandshake,
  ) {}

  afterInit(server: EventEmitter): void {
    server.on('connection', (client: object, request?: IncomingMessage) => {
      void this.handshake.accept(this, client, request).then((caller) => this.seen.accepted.push(caller));
    });
  }
}

/** Awaits something else before it accepts a socket. */
@WebSocketGateway({ path: '/late' })
class LateGateway {
  constructor(
    @Inject(Seen) private readonly seen: Seen,
    @Inject(XPayHandshake) private readonly handshake: XPayHandshake,
  ) {}

  async handleConnection(client: object, request?: IncomingMessage): Promise<void> {
    this.seen.sockets.push(client);
    await this.seen.beforeAccept;
    this.seen.accepted.push(await this.handshake.accept(this, client, request));
  }
}

/** Has no filter, and never calls `XPayHandshake.accept`. */
@WebSocketGateway({ path: '/bare' })
class BareGateway {
  constructor(@Inject(XPayHttpService) private readonly xpay: XPayHttpService) {}

  @Authenticated()
  @SubscribeMessage('me')
  me(@CurrentUser() { username }: Principal) {
    return answer(username);
  }

  @SubscribeMessage('outbound')
  async outbound() {
    return answer(await this.xpay.post('/client/wallets/find'));
  }
}

export interface GatewayApp extends ContextApp {
  readonly seen: Seen;
  open(opening: Opening): Promise<GatewayClient>;
}

export async function startGateways(transport: Transport, options: XPayAuthOptions = {}): Promise<GatewayApp> {
  const app = await startContextApp({
    options,
    providers: [Seen, OpenGateway, ClosedGateway, ListenerGateway, LateGateway, BareGateway],
    configure: (nest) => nest.useWebSocketAdapter(transport === 'ws' ? new WsAdapter(nest) : new IoAdapter(nest)),
  });
  return { ...app, seen: app.app.get(Seen), open: (opening) => openSocket(transport, app.url, opening) };
}
