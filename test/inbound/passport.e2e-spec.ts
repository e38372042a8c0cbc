import { describe, expect, it } from '@jest/globals';
import { Controller, Get, Injectable, Req, UseGuards } from '@nestjs/common';
import { AuthGuard, PassportStrategy } from '@nestjs/passport';
import { Strategy } from 'passport-custom';
import { Principal, Scopes, XPayAuthModule } from 'nestjs-xpay-auth';
import { startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { RoutesController, ada, asAda, asRoot, startInbound, wrong } from '../support/inbound-app.js';
import { basicLine, rawGet } from '../support/raw-request.js';
import { bearer, platforms, startApp } from '../support/start-app.js';

interface Request {
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly user: unknown;
}

/** Authenticates every request with `x-badge: guest`. */
@Injectable()
class BadgeStrategy extends PassportStrategy(Strategy, 'badge') {
  validate({ headers }: Request) {
    return headers['x-badge'] === 'guest' ? { username: 'guest' } : false;
  }
}

@Controller()
class PassportController {
  @UseGuards(AuthGuard('xpay'))
  @Get('passport')
  passport(@Req() { user }: Request) {
    return { principal: Principal.isPrincipal(user), user };
  }

  @UseGuards(AuthGuard(['xpay', 'badge']))
  @Get('either')
  either(@Req() { user }: Request) {
    return user;
  }

  @UseGuards(AuthGuard(['badge', 'xpay']))
  @Get('other-way-round')
  otherWayRound(@Req() { user }: Request) {
    return user;
  }

  @Scopes('tme_admin')
  @UseGuards(AuthGuard('xpay'))
  @Get('passport-and-scopes')
  scoped() {
    return 'admin';
  }
}

@UseGuards(AuthGuard('xpay-two'))
@Controller('named')
class NamedController {
  @Get()
  read(@Req() { user }: Request) {
    return user;
  }
}

const setting = { controllers: [PassportController, RoutesController] };
const badge = { 'x-badge': 'guest' };

describe.each(platforms)("Passport's guard on %s", (platform) => {
  const start = (options = {}) =>
    startInbound(platform, { ...setting, controllers: [...setting.controllers], options });
  // Registers itself with Passport when it is constructed.
  const strategy = new BadgeStrategy();

  it("I14 · AuthGuard('xpay') returns the same principal as XPayAuthGuard, from the same cache", async () => {
    await using app = await start();
    const me = (await (await app.fetch('/me', { headers: asAda })).json()) as object;
    expect(await (await app.fetch('/passport', { headers: asAda })).json()).toMatchObject({
      principal: true,
      user: me,
    });
    const { accessToken } = await app.sessions.login(ada);
    expect(await app.status('/passport', bearer(accessToken))).toBe(200);
    expect([await app.status('/passport-and-scopes', asAda), await app.status('/passport-and-scopes', asRoot)]).toEqual(
      [403, 200],
    );
    expect(app.asked()).toBe(3);
  });

  it('I6 I7 · and the same status for every failure', async () => {
    await using app = await start({ attempts: { perUserAndAddress: { attempts: 2, windowMs: 60_000 } } });
    const sameStatus = async (headers: Record<string, string>): Promise<number> => {
      const status = await app.status('/passport', headers);
      expect(await app.status('/me', headers)).toBe(status);
      return status;
    };
    expect(await sameStatus({})).toBe(401);
    expect(await sameStatus(wrong())).toBe(401);
    expect(await sameStatus(bearer('made-up'))).toBe(401);
    expect(await sameStatus({ authorization: 'Digest x' })).toBe(401);
    expect(await sameStatus({ authorization: 'Basic ???' })).toBe(400);
    const twice = [basicLine(`${ada.username}:${ada.secretKey}`), 'Authorization: Bearer x'];
    expect((await rawGet(app.url, '/passport', twice)).status).toBe(400);
    for (const [fault, status] of [
      [{ kind: 'unavailable' }, 503],
      [{ kind: 'empty' }, 502],
    ] as const) {
      app.xpay.faults.always(fault);
      expect(await sameStatus(asRoot)).toBe(status);
      app.xpay.faults.clear();
    }
    await app.status('/me', wrong(2));
    expect(await sameStatus(wrong(3))).toBe(429);
  });

  it('I7 · beside another strategy: wrong and missing credentials are passed to it, in either order', async () => {
    await using app = await start();
    for (const path of ['/either', '/other-way-round']) {
      expect(await (await app.fetch(path, { headers: badge })).json()).toEqual({ username: 'guest' });
      expect(await (await app.fetch(path, { headers: asAda })).json()).toMatchObject({ username: ada.username });
      for (const headers of [wrong(), bearer('made-up'), { authorization: 'Digest x' }]) {
        expect(await app.status(path, { ...headers, ...badge })).toBe(200);
        expect(await app.status(path, headers)).toBe(401);
      }
      expect(await app.status(path)).toBe(401);
    }
  });

  it('I6 · beside another strategy: an upstream failure is an error and is not passed to it', async () => {
    await using app = await start();
    app.xpay.faults.always({ kind: 'unavailable' });
    expect(await app.status('/either', { ...asAda, ...badge })).toBe(503);
    expect(strategy).toBeDefined();
  });

  it('I14 · a named instance has its own strategy', async () => {
    await using xpay = await startXPayEmulator({ accounts: [ada] });
    await using app = await startApp(platform, {
      imports: [XPayAuthModule.forRoot({ name: 'two', baseUrl: xpay.url })],
      controllers: [NamedController],
    });
    expect(await (await app.fetch('/named', { headers: asAda })).json()).toMatchObject({ instance: 'two' });
    expect((await app.fetch('/named')).status).toBe(401);
  });
});
