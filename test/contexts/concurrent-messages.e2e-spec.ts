import { describe, expect, it } from '@jest/globals';
import { type CanActivate, Controller, type ExecutionContext, Inject, Injectable, UseGuards } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { WsAdapter } from '@nestjs/platform-ws';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { CurrentUser, OptionalAuth, type Principal, XPayHandshake } from 'nestjs-xpay-auth';
import type { IncomingMessage } from 'node:http';
import { startConnectionContextService } from '../support/connection-context-service.js';
import { startContextApp } from '../support/context-app.js';
import { openSocket } from '../support/gateway-client.js';
import { ada, asAda, root } from '../support/inbound-app.js';
import { settled } from '../support/settled.js';

/** Suspends the first message after the guards of the library and before its parameters are read. */
@Injectable()
class HoldsTheFirst implements CanActivate {
  release: (() => void) | undefined;
  /** The usernames of the messages, as a later guard of the app reads them. */
  readonly names: unknown[] = [];

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (context.getType() === 'ws') this.names.push(context.switchToWs().getPattern());
    if (this.release === undefined) await new Promise<void>((resolve) => (this.release = resolve));
    return true;
  }
}

@WebSocketGateway({ path: '/held' })
class HeldGateway {
  constructor(@Inject(XPayHandshake) private readonly handshake: XPayHandshake) {}

  @OptionalAuth()
  async handleConnection(client: object, request?: IncomingMessage): Promise<void> {
    await this.handshake.accept(this, client, request);
  }

  @UseGuards(HoldsTheFirst)
  @OptionalAuth()
  @SubscribeMessage('scopes')
  scopes(@CurrentUser() caller: Principal | undefined) {
    return { event: 'answer', data: [...(caller?.scopes ?? [])] };
  }
}

@Controller()
class HeldController {
  @UseGuards(HoldsTheFirst)
  @OptionalAuth()
  @MessagePattern('caller')
  caller(@CurrentUser() caller: Principal | undefined): string {
    return caller?.username ?? 'nobody';
  }
}

describe('concurrent messages', () => {
  it.each(['socket.io', 'ws'] as const)(
    'D1 · @CurrentUser() is the caller who was accepted for this message of a socket of %s',
    async (transport) => {
      await using app = await startContextApp({
        providers: [HeldGateway, HoldsTheFirst],
        configure: (nest) => nest.useWebSocketAdapter(transport === 'ws' ? new WsAdapter(nest) : new IoAdapter(nest)),
      });
      const held = app.app.get(HoldsTheFirst);
      await using client = await openSocket(transport, app.url, { path: '/held', headers: asAda });
      const first = client.ask('scopes');
      await settled(() => held.release !== undefined);
      // Moves only the wall clock, so no timer rechecks the socket.
      app.clock.stepWall(60_000);
      app.xpay.addAccount({ ...ada, scopes: ['tme_admin'] });
      await client.ask('scopes');
      held.release?.();
      await Promise.all([first, settled(() => client.received.length === 2)]);
      expect(client.received.map(({ data }) => data)).toEqual([['tme_admin'], ['tme_user']]);
      expect(held.names).toEqual(['scopes', 'scopes']);
    },
  );

  it('D1 · @CurrentUser() is the caller who was accepted for this message of a connection', async () => {
    await using service = await startConnectionContextService(HeldController, { providers: [HoldsTheFirst] });
    const held = service.get(HoldsTheFirst);
    await using connection = await service.connect();
    const first = connection.send('caller', { auth: root });
    await settled(() => held.release !== undefined);
    expect(await connection.send('caller', {})).toBe('nobody');
    expect(await connection.send('caller', { auth: ada })).toBe(ada.username);
    held.release?.();
    expect(await first).toBe(root.username);
    expect(await connection.send('caller', {})).toBe('nobody');
  });
});
