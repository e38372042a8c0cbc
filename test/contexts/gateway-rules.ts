import { expect, it } from '@jest/globals';
import { WsException } from '@nestjs/websockets';
import { Principal, XPayAuthError, XPayHandshake } from 'nestjs-xpay-auth';
import { EventEmitter, once } from 'node:events';
import { WebSocket } from 'ws';
import { ClosedGateway, startGateways } from '../support/gateway-app.js';
import type { Received, Transport } from '../support/gateway-client.js';
import { ada, asAda, asRoot, root, wrong } from '../support/inbound-app.js';
import { settled } from '../support/settled.js';
import { bearer } from '../support/start-app.js';

export const codeOf = (received: Received | undefined): unknown =>
  received?.event === 'exception' ? (received.data as { errorCode?: string }).errorCode : received?.data;

/** The rules for every kind of socket. */
export function gatewayRules(transport: Transport): void {
  it('I13 · accepts exactly the permitted callers for each message', async () => {
    await using app = await startGateways(transport);
    const expected: Record<string, unknown[]> = {
      me: ['missing_credentials', ada.username, root.username],
      user: ['missing_credentials', ada.username, 'insufficient_scope'],
      admin: ['missing_credentials', 'insufficient_scope', 'admin'],
      optional: ['nobody', ada.username, root.username],
      open: ['open', 'open', 'open'],
      unmarked: ['unmarked', 'unmarked', 'unmarked'],
    };
    await using nobody = await app.open({ path: '/open' });
    await using user = await app.open({ path: '/open', headers: asAda });
    await using admin = await app.open({ path: '/open', headers: asRoot });
    for (const [message, answers] of Object.entries(expected)) {
      const said = [await nobody.ask(message), await user.ask(message), await admin.ask(message)].map(codeOf);
      expect([message, said]).toEqual([message, answers]);
    }
  });

  it('I13 · throws a WsException whose cause is the failure, and sends the client the same body as HTTP', async () => {
    await using app = await startGateways(transport);
    await using client = await app.open({ path: '/open', headers: asAda });
    expect(await client.ask('admin', { secret: 'not repeated' })).toEqual({
      event: 'exception',
      data: {
        status: 'error',
        statusCode: 403,
        error: 'Forbidden',
        message: 'Insufficient scope',
        errorCode: 'insufficient_scope',
        requiredScopes: ['tme_admin'],
      },
    });
    const [exception] = app.seen.exceptions;
    expect(exception).toBeInstanceOf(WsException);
    expect(exception?.cause).toBeInstanceOf(XPayAuthError);
    expect(app.events.at(-1)).toMatchObject({ type: 'denied', username: ada.username, requiredScopes: ['tme_admin'] });
    expect(app.logged.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it('I1 I13 · a thousand messages in one period cause one upstream call', async () => {
    await using app = await startGateways(transport);
    await using client = await app.open({ path: '/open', headers: asAda });
    for (let i = 0; i < 100; i++) expect(codeOf(await client.ask(i % 2 === 0 ? 'me' : 'user'))).toBe(ada.username);
    await Promise.all(Array.from({ length: 900 }, () => client.ask('me')));
    await settled(() => client.received.length >= 1_000);
    expect(app.asked()).toBe(1);
  });

  it('I13 · the first message after the period verifies the credentials of the handshake again', async () => {
    await using app = await startGateways(transport);
    await using client = await app.open({ path: '/open', headers: asAda });
    expect([codeOf(await client.ask('me')), app.asked()]).toEqual([ada.username, 1]);
    // Moves only the wall clock: no timer fires, so the message itself causes the call.
    app.clock.stepWall(60_000);
    expect([codeOf(await client.ask('user')), app.asked()]).toEqual([ada.username, 2]);
    app.xpay.removeAccount(ada.username);
    expect([codeOf(await client.ask('user')), app.asked()]).toEqual([ada.username, 2]);
    app.clock.stepWall(60_000);
    expect([codeOf(await client.ask('user')), app.asked()]).toEqual(['invalid_credentials', 3]);
  });

  it('I10 I13 · a revoked session is rejected on the very next message', async () => {
    await using app = await startGateways(transport);
    const { accessToken } = await app.sessions.login(ada);
    await using client = await app.open({ path: '/open', headers: bearer(accessToken) });
    expect(codeOf(await client.ask('me'))).toBe(ada.username);
    await app.sessions.logout(accessToken);
    expect(codeOf(await client.ask('me'))).toBe('invalid_token');
    expect(codeOf(await client.ask('optional'))).toBe('invalid_token');
  });

  it('I13 · a session that ends while its socket is open is rejected and disconnected', async () => {
    await using app = await startGateways(transport, { session: { periodMs: 100_000 } });
    const { accessToken } = await app.sessions.login(ada);
    await using client = await app.open({ path: '/open', headers: bearer(accessToken) });
    app.clock.stepWall(100_000);
    expect(codeOf(await client.ask('me'))).toBe('invalid_token');
    await app.clock.advance(7_500);
    await settled(() => client.closed() !== false);
    expect(app.asked()).toBe(1);
  });

  it("I6 I13 · an upstream failure is 503, never the caller's fault", async () => {
    await using app = await startGateways(transport);
    await using client = await app.open({ path: '/open', headers: asAda });
    app.xpay.faults.always({ kind: 'unavailable' });
    app.clock.stepWall(60_000);
    expect((await client.ask('me'))?.data).toMatchObject({
      statusCode: 503,
      errorCode: 'upstream_unavailable',
      retryAfterMs: 1_000,
    });
  });

  describeHandshake(transport);

  it('I13 · globalGuards protect every message without a decorator, because Nest runs them on gateways', async () => {
    await using app = await startGateways(transport, { globalGuards: true });
    await using nobody = await app.open({ path: '/open' });
    await using user = await app.open({ path: '/open', headers: asAda });
    expect(codeOf(await nobody.ask('unmarked'))).toBe('missing_credentials');
    expect(codeOf(await user.ask('unmarked'))).toBe('unmarked');
    expect(codeOf(await nobody.ask('open'))).toBe('open');
    expect(app.asked()).toBe(1);
  });

  it('@CurrentUser() without a guard throws configuration, also after guarded messages of the same socket', async () => {
    await using app = await startGateways(transport);
    await using client = await app.open({ path: '/open', headers: asAda });
    await client.ask('me');
    expect(codeOf(await client.ask('unmarked-user'))).toBe('configuration');
    expect(codeOf(await client.ask('public-user'))).toBe('configuration');
  });

  it('an outbound failure of a handler is reported by the filter of a gateway, and not by a global one, which Nest does not call', async () => {
    await using app = await startGateways(transport, { credentials: { username: 'app', secretKey: 'wrong' } });
    await using open = await app.open({ path: '/open' });
    expect((await open.ask('outbound'))?.data).toMatchObject({ statusCode: 502, errorCode: 'credentials_rejected' });
    await using bare = await app.open({ path: '/bare' });
    expect((await bare.ask('outbound'))?.data).toMatchObject({ status: 'error', message: 'Internal server error' });
  });
}

function describeHandshake(transport: Transport): void {
  it('I13 · the decorator of the gateway applies to the handshake: other callers receive the reason and are disconnected', async () => {
    await using app = await startGateways(transport);
    await using user = await app.open({ path: '/closed', headers: asAda });
    await settled(() => app.seen.accepted.length === 1);
    expect(app.seen.accepted[0]).toBeInstanceOf(Principal);
    expect([codeOf(await user.ask('me')), app.asked()]).toEqual([ada.username, 1]);
    for (const [headers, errorCode] of [
      [{}, 'missing_credentials'],
      [wrong(), 'invalid_credentials'],
      [bearer('unknown'), 'invalid_token'],
      [asRoot, 'insufficient_scope'],
    ] as const) {
      await using client = await app.open({ path: '/closed', headers });
      await settled(() => client.closed() !== false);
      expect([client.received.map(codeOf), client.closed()]).toEqual([[errorCode], transport === 'ws' ? 1008 : true]);
    }
    expect(app.seen.accepted.slice(1)).toEqual([undefined, undefined, undefined, undefined]);
    expect(app.events.at(-1)).toMatchObject({ type: 'denied', username: root.username });
  });

  it('I13 · the decorator of a gateway without handleConnection applies to the handshake', async () => {
    await using app = await startGateways(transport);
    await using user = await app.open({ path: '/listener', headers: asAda });
    await settled(() => app.seen.accepted.length === 1);
    await using admin = await app.open({ path: '/listener', headers: asRoot });
    await settled(() => admin.closed() !== false && app.seen.accepted.length === 2);
    expect([user.closed(), admin.received.map(codeOf)]).toEqual([false, ['insufficient_scope']]);
    expect(app.seen.accepted.map((caller) => caller?.username)).toEqual([ada.username, undefined]);
  });

  it('I13 · a socket that only listens is disconnected when its period ends and its caller is no longer accepted', async () => {
    await using app = await startGateways(transport);
    await using client = await app.open({ path: '/closed', headers: asAda });
    await settled(() => app.seen.accepted.length === 1);
    await app.clock.advance(300_000);
    expect([client.closed(), app.asked() >= 5]).toEqual([false, true]);
    app.xpay.removeAccount(ada.username);
    await app.clock.advance(67_500);
    await settled(() => client.closed() !== false);
    expect(client.received.map(codeOf)).toEqual(['invalid_credentials']);
    expect(app.clock.pendingTimers).toBe(0);
  });

  it('I10 I13 · revokeUser ends the sockets of its sessions within an eighth of a period, and no others', async () => {
    await using app = await startGateways(transport);
    const { accessToken } = await app.sessions.login(ada);
    await using session = await app.open({ path: '/closed', headers: bearer(accessToken) });
    await using other = await app.open({ path: '/open', headers: asRoot });
    await settled(() => app.seen.accepted.length === 2);
    await app.sessions.revokeUser(ada.username);
    await app.clock.advance(7_500);
    await settled(() => session.closed() !== false);
    expect([session.received.map(codeOf), other.closed()]).toEqual([['invalid_token'], false]);
  });

  it('I6 I13 · when the upstream is unavailable at the end of the period, the socket is closed with "try again later"', async () => {
    await using app = await startGateways(transport);
    await using client = await app.open({ path: '/closed', headers: asAda });
    await settled(() => app.seen.accepted.length === 1);
    app.xpay.faults.always({ kind: 'unavailable' });
    await app.clock.advance(59_000);
    expect(client.closed()).toBe(false);
    await app.clock.advance(10_000);
    await settled(() => client.closed() !== false);
    expect([client.received.map(codeOf), client.closed()]).toEqual([
      ['upstream_unavailable'],
      transport === 'ws' ? 1013 : true,
    ]);
  });

  it('O19 I13 · a closed socket and a closed app leave no timers', async () => {
    const app = await startGateways(transport);
    const client = await app.open({ path: '/closed', headers: asAda });
    await using _other = await app.open({ path: '/closed', headers: asAda });
    await settled(() => app.seen.accepted.length === 2);
    expect(app.clock.pendingTimers).toBe(2);
    await client.close();
    await settled(() => app.clock.pendingTimers === 1);
    // A socket that does not close with its app.
    const request = { headers: { ...asAda }, rawHeaders: [], socket: {} };
    await app.app.get(XPayHandshake).accept(app.app.get(ClosedGateway), { once: () => undefined }, request);
    expect(app.clock.pendingTimers).toBe(2);
    await app[Symbol.asyncDispose]();
    expect(app.clock.pendingTimers).toBe(0);
  });

  it('I13 · a socket that closes while it is being accepted is not rechecked', async () => {
    await using app = await startGateways(transport);
    app.xpay.faults.next({ kind: 'delay', ms: 1_000 });
    const client = await app.open({ path: '/closed', headers: asAda });
    await settled(() => app.asked() === 1);
    await client.close();
    await app.clock.advance(1_000);
    await settled(() => app.seen.accepted.length === 1);
    expect(app.clock.pendingTimers).toBe(0);
  });

  it('D8 · a socket that is closed before the app accepts it causes no upstream call and is not rechecked', async () => {
    await using app = await startGateways(transport);
    const ready = new EventEmitter();
    app.seen.beforeAccept = once(ready, 'ready');
    const client = await app.open({ path: '/late', headers: asAda });
    await settled(() => app.seen.sockets.length === 1);
    await client.close();
    await settled(() => isGone(app.seen.sockets[0]));
    ready.emit('ready');
    await settled(() => app.seen.accepted.length === 1);
    await app.clock.advance(600_000);
    expect([app.asked(), app.clock.pendingTimers, app.seen.accepted]).toEqual([0, 0, [undefined]]);
  });
}

/** Whether the server knows that this socket is closed. */
function isGone(socket: object | undefined): boolean {
  const { readyState, connected } = socket as { readyState?: number; connected?: boolean };
  return readyState === WebSocket.CLOSED || connected === false;
}
