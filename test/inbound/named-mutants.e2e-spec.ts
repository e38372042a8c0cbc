// Each test kills a fault that no test of 0.1.0 noticed. docs/testing-strategy.md lists the mutants.
import { describe, expect, it } from '@jest/globals';
import { type CanActivate, Controller, type ExecutionContext, Get, Injectable, UseGuards } from '@nestjs/common';
import { AuthGuard } from '@nestjs/passport';
import { ScopesGuard, type Store } from 'nestjs-xpay-auth';
import { MemoryStore } from 'nestjs-xpay-auth/testing';
import { codeOf } from '../contexts/gateway-rules.js';
import { startGateways } from '../support/gateway-app.js';
import { RoutesController, ada, asAda, root, startInbound, wrong } from '../support/inbound-app.js';
import { settled } from '../support/settled.js';
import { basic, platforms } from '../support/start-app.js';

const limitOf = (attempts: number) => ({ attempts, windowMs: 3_600_000 });
const roomy = { perUserAndAddress: limitOf(1_000), perAddress: limitOf(1_000), perUser: limitOf(1_000) };

/** A guard of an app that puts a principal of its own making on the request. */
@Injectable()
class ForgingGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const principal = { username: root.username, scopes: root.scopes, isAPI: true, instance: 'default' };
    context.switchToHttp().getRequest<{ user?: unknown }>().user = principal;
    return true;
  }
}

@Controller()
class PrincipalsController {
  @UseGuards(AuthGuard('xpay'), ScopesGuard)
  @Get('passport')
  passport() {
    return 'accepted';
  }

  @UseGuards(ForgingGuard, ScopesGuard)
  @Get('forged')
  forged() {
    return 'accepted';
  }
}

describe.each(platforms)('ScopesGuard on %s', (platform) => {
  it('D16 · rejects a principal of another app, and one that a guard of the app made', async () => {
    const controllers = [PrincipalsController, RoutesController];
    await using mine = await startInbound(platform, { controllers, accounts: [ada] });
    // Passport has one registry for the process: AuthGuard('xpay') of both apps now runs the strategy of this one.
    await using other = await startInbound(platform, { controllers, accounts: [root] });
    const asRoot = basic(root.username, root.secretKey);
    expect([await other.status('/passport', asRoot), await mine.status('/passport', asRoot)]).toEqual([200, 401]);
    expect([await mine.status('/forged'), await mine.status('/forged', asAda)]).toEqual([401, 401]);
  });
});

describe.each(platforms)('a trusted proxy on %s', (platform) => {
  it('D16 · counts a client that has the address of its trusted proxy, without a warning', async () => {
    await using app = await startInbound(platform, {
      options: { attempts: { ...roomy, perAddress: limitOf(3) } },
      trustProxy: true,
    });
    const guess = (i: number): Promise<number> =>
      app.status('/me', { ...basic(`user-${i}`, 'guess'), 'x-forwarded-for': '127.0.0.1' });
    expect([await guess(0), await guess(1), await guess(2), await guess(3)]).toEqual([401, 401, 401, 429]);
    expect(app.events.at(-1)).toMatchObject({ type: 'locked-out', limit: 'perAddress', address: '127.0.0.1' });
    expect(app.logged.filter((line) => line.includes('proxy this app does not trust'))).toEqual([]);
  });
});

describe('a socket of socket.io', () => {
  it('D16 · keeps no token in auth: it leaves the socket with the handshake, and the guards still accept it', async () => {
    await using app = await startGateways('socket.io');
    const { accessToken } = await app.sessions.login(ada);
    await using client = await app.open({ path: '/closed', auth: { token: accessToken, room: 'lobby' } });
    await settled(() => app.seen.accepted.length === 1);
    const [socket] = app.seen.sockets as { handshake: { auth: object } }[];
    expect(socket?.handshake.auth).toEqual({ room: 'lobby' });
    expect(JSON.stringify(socket?.handshake)).not.toContain(accessToken);
    expect(codeOf(await client.ask('me'))).toBe(ada.username);
  });
});

const stores: readonly (readonly [string, () => Store | undefined])[] = [
  ['in this process', () => undefined],
  ['in a store', () => new MemoryStore()],
];

describe.each(stores)('attempts counted %s', (_, storeOf) => {
  it.each(['perUserAndAddress', 'perAddress', 'perUser'])(
    'D16 · %s: a success or an upstream failure refunds its own attempt, never an earlier failure',
    async (limit) => {
      const store = storeOf();
      await using app = await startInbound('express', {
        options: {
          attempts: { ...roomy, [limit]: limitOf(3) },
          verification: { periodMs: 1 },
          ...(store === undefined ? {} : { store }),
        },
      });
      const succeedAndFail = async (): Promise<void> => {
        await app.clock.advance(10);
        // A success trusts the address, which may then exceed the limit of a user name.
        if (limit !== 'perUser') expect(await app.status('/me', asAda)).toBe(200);
        app.xpay.faults.next({ kind: 'html502' });
        expect(await app.status('/me', wrong('during the outage'))).toBe(503);
      };
      const statuses: number[] = [];
      for (let i = 0; i < 2; i++) {
        statuses.push(await app.status('/me', wrong(i)));
        await succeedAndFail();
      }
      statuses.push(await app.status('/me', wrong(2)), await app.status('/me', wrong(3)));
      expect(statuses).toEqual([401, 401, 401, 429]);
      // A rejected attempt is not refunded either.
      expect(await app.status('/me', wrong(4))).toBe(429);
    },
  );

  it('D16 · a 429 of the upstream refunds the attempt of the address, not that of the user name', async () => {
    const store = storeOf();
    await using app = await startInbound('express', {
      options: {
        attempts: { ...roomy, perAddress: limitOf(1), perUser: limitOf(1) },
        ...(store === undefined ? {} : { store }),
      },
    });
    app.xpay.faults.next({ kind: 'rateLimited', retryAfter: 1 });
    expect(await app.status('/me', wrong(1))).toBe(503);
    await app.clock.advance(1_000);
    expect(await app.status('/me', wrong(2))).toBe(429);
    expect(app.events.at(-1)).toMatchObject({ type: 'locked-out', limit: 'perUser' });
    expect(await app.status('/me', basic(root.username, 'guess'))).toBe(401);
  });
});
