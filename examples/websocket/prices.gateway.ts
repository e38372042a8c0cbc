import { MessageBody, SubscribeMessage, WebSocketGateway, WebSocketServer } from '@nestjs/websockets';
import { CurrentUser, type Principal, Scopes, XPayHandshake } from 'nestjs-xpay-auth';
import type { Server, Socket } from 'socket.io';

/** Callers with `tme_user` may connect and listen; only callers with `tme_admin` may set a price. */
@Scopes('tme_user')
@WebSocketGateway()
export class PricesGateway {
  @WebSocketServer()
  private readonly server!: Server;

  constructor(private readonly handshake: XPayHandshake) {}

  /** Nest runs no guard here. A rejected client gets the error and is disconnected, as is a client whose session ends. */
  async handleConnection(client: Socket): Promise<void> {
    const caller = await this.handshake.accept(this, client);
    if (caller === undefined) return;
    await client.join('prices');
    client.emit('welcome', caller.username);
  }

  @Scopes('tme_admin')
  @SubscribeMessage('set')
  set(@MessageBody() price: number, @CurrentUser() { username }: Principal): void {
    this.server.to('prices').emit('price', { price, by: username });
  }
}
