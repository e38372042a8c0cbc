import { describe, expect, it } from '@jest/globals';
import { Inject } from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { WebSocketGateway } from '@nestjs/websockets';
import { OptionalAuth, Scopes, XPayHandshake } from 'nestjs-xpay-auth';
import { Manager } from 'socket.io-client';
import { startContextApp } from '../support/context-app.js';
import { Seen, startGateways } from '../support/gateway-app.js';
import { ada, asAda, root } from '../support/inbound-app.js';
import { settled } from '../support/settled.js';
import { codeOf, gatewayRules } from './gateway-rules.js';

const { username, secretKey } = ada;

abstract class NamespaceGateway {
  constructor(
    @Inject(Seen) private readonly seen: Seen,
    @Inject(XPayHandshake) private readonly handshake: XPayHandshake,
  ) {}

  async handleConnection(client: object): Promise<void> {
    this.seen.accepted.push(await this.handshake.accept(this, client));
  }
}

@Scopes('tme_user')
@WebSocketGateway({ namespace: '/users' })
class UsersGateway extends NamespaceGateway {}

@OptionalAuth()
@WebSocketGateway({ namespace: '/anybody' })
class AnybodyGateway extends NamespaceGateway {}

@WebSocketGateway({ path: '/accepting' })
class AcceptingGateway extends NamespaceGateway {
  @Scopes('tme_user')
  override handleConnection(client: object): Promise<void> {
    return super.handleConnection(client);
  }
}

@WebSocketGateway({ path: '/by-property' })
class PropertyGateway {
  @Inject(XPayHandshake) private readonly handshake!: XPayHandshake;

  @Scopes('tme_user')
  async handleConnection(client: object): Promise<void> {
    await this.handshake.accept(this, client);
  }
}

@WebSocketGateway({ path: '/unchecked' })
class UncheckedGateway {
  @Scopes('tme_admin')
  handleConnection(): void {}
}

describe('a WebSocket gateway of socket.io', () => {
  gatewayRules('socket.io');

  it('I13 · the boot warns of a decorated handleConnection in a gateway that does not inject XPayHandshake', async () => {
    await using app = await startContextApp({
      providers: [Seen, UsersGateway, AcceptingGateway, PropertyGateway, UncheckedGateway],
      configure: (nest) => nest.useWebSocketAdapter(new IoAdapter(nest)),
    });
    expect(app.logged.filter(({ level }) => level === 'warn').map(({ line }) => line)).toEqual([
      expect.stringContaining('UncheckedGateway.handleConnection: the decorator protects nothing'),
    ]);
  });

  it('I13 · guards work without accept, because the socket has its own handshake', async () => {
    await using app = await startGateways('socket.io');
    await using user = await app.open({ path: '/bare', headers: asAda });
    await using nobody = await app.open({ path: '/bare' });
    expect([codeOf(await user.ask('me')), codeOf(await nobody.ask('me'))]).toEqual([username, 'missing_credentials']);
  });

  it('I13 · credentials may be in auth: { username, secretKey } or { token }', async () => {
    await using app = await startGateways('socket.io');
    const { accessToken } = await app.sessions.login(root);
    await using byKey = await app.open({ path: '/open', auth: { username, secretKey } });
    await using byToken = await app.open({ path: '/open', auth: { token: accessToken } });
    await using byHeader = await app.open({ path: '/open', headers: asAda, polling: true });
    const said = [await byKey.ask('me'), await byToken.ask('me'), await byHeader.ask('me')].map(codeOf);
    expect([said, app.asked()]).toEqual([[username, root.username, username], 2]);
  });

  it('D13 · null in auth is absent: other credentials count, if there are any', async () => {
    await using app = await startGateways('socket.io');
    await using byKey = await app.open({ path: '/open', auth: { username, secretKey, token: null } });
    const none = { username: null, secretKey: null, token: null };
    await using byHeader = await app.open({ path: '/open', auth: none, headers: asAda });
    await using anonymous = await app.open({ path: '/open', auth: none });
    const said = [await byKey.ask('me'), await byHeader.ask('me'), await anonymous.ask('optional')].map(codeOf);
    expect(said).toEqual([username, username, 'nobody']);
  });

  it.each<[string, Record<string, unknown>, Record<string, string>, string]>([
    ['a header beside auth', { username, secretKey }, asAda, 'invalid_request'],
    ['a key and a token', { username, secretKey, token: 'token' }, {}, 'invalid_request'],
    ['a token that is not a string', { token: { $ne: '' } }, {}, 'invalid_request'],
    ['a token of two words', { token: 'two words' }, {}, 'invalid_request'],
    ['a name alone', { username }, {}, 'invalid_request'],
    ['a username with null as its key', { username, secretKey: null }, {}, 'invalid_request'],
    ['a key that is not a string', { username, secretKey: [secretKey] }, {}, 'invalid_request'],
    ['a colon in the username', { username: 'a:b', secretKey: 'c' }, {}, 'invalid_request'],
    ['half a character', { username: '\ud800', secretKey: 'c' }, {}, 'invalid_request'],
    ['a wrong key', { username, secretKey: 'wrong' }, {}, 'invalid_credentials'],
    ['an empty username and key', { username: '', secretKey: '' }, {}, 'invalid_credentials'],
    ['something else', { user: username, pass: secretKey }, {}, 'missing_credentials'],
  ])('I9 I13 · %s in auth is rejected', async (_, auth, headers, errorCode) => {
    await using app = await startGateways('socket.io');
    await using client = await app.open({ path: '/closed', auth, headers });
    await settled(() => client.closed() !== false);
    expect(client.received.map(codeOf)).toEqual([errorCode]);
    expect(app.asked()).toBe(errorCode === 'invalid_credentials' && username === auth['username'] ? 1 : 0);
  });

  it('I13 · namespaces of one connection share its header, and each has its own auth', async () => {
    await using app = await startContextApp({
      providers: [Seen, UsersGateway, AnybodyGateway],
      configure: (nest) => nest.useWebSocketAdapter(new IoAdapter(nest)),
    });
    const { accepted } = app.app.get(Seen);
    const callers = (): unknown[] => accepted.map((caller) => caller?.username);
    const manager = new Manager(app.url, { extraHeaders: asAda, transports: ['websocket'], reconnection: false });
    for (const namespace of ['/users', '/anybody']) manager.socket(namespace);
    await settled(() => accepted.length === 2);
    expect([callers(), app.asked()]).toEqual([[username, username], 1]);
    const other = new Manager(app.url, { transports: ['websocket'], reconnection: false });
    other.socket('/anybody');
    await settled(() => accepted.length === 3);
    other.socket('/users', { auth: { username, secretKey } });
    await settled(() => accepted.length === 4);
    expect(callers()).toEqual([username, username, undefined, username]);
    for (const { engine } of [manager, other]) engine.close();
  });

  it('O17 I13 · stripCredentials removes the secret from the handshake, and guards still authenticate', async () => {
    await using app = await startGateways('socket.io');
    await using client = await app.open({ path: '/closed', auth: { username, secretKey, room: 'lobby' } });
    await using other = await app.open({ path: '/closed', headers: asAda });
    await settled(() => app.seen.accepted.length === 2);
    for (const socket of app.seen.sockets) {
      const { handshake, request } = socket as {
        handshake: object;
        request: { rawHeaders: string[]; headers: object };
      };
      const readable = JSON.stringify([handshake, request.headers, request.rawHeaders]);
      expect(readable).toContain('127.0.0.1');
      expect(readable).not.toContain(secretKey);
      expect(readable).not.toMatch(/Basic|authorization/i);
    }
    expect((app.seen.sockets[0] as { handshake: { auth: object } }).handshake.auth).toEqual({ room: 'lobby' });
    expect([codeOf(await client.ask('me')), codeOf(await other.ask('me'))]).toEqual([username, username]);
  });
});
