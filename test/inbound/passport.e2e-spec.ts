import { describe, expect, it } from '@jest/globals';
import { Controller, Get, Injectable, Req, UseGuards } from '@nestjs/common';
import { AuthGuard, PassportStrategy } from '@nestjs/passport';
import passport from 'passport';
import { Strategy } from 'passport-custom';
import { Principal, Scopes, XPayAuthModule, XPaySessionService } from 'nestjs-xpay-auth';
import { startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { RoutesController, ada, asAda, asRoot, startInbound, wrong } from '../support/inbound-app.js';
import { basicLine, rawGet } from '../support/raw-request.js';
import { type Platform, type RunningApp, basic, bearer, platforms, startApp } from '../support/start-app.js';

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

/** The key of the other twin. */
const OTHER_KEY: Readonly<Record<string, string>> = { here: 'there', there: 'here', first: 'second', second: 'first' };

interface Twin extends RunningApp {
  /** Returns the statuses of a request with the key of this app, and with the key of the other app. */
  statuses(path: string): Promise<number[]>;
}

/** Starts one of two apps with the same routes and instances. At its upstreams, the key of the user `sam` is `key`. */
async function startTwin(platform: Platform, key: string): Promise<Twin> {
  const xpay = await startXPayEmulator({ accounts: [{ username: 'sam', secretKey: key }] });
  const running = await startApp(platform, {
    imports: [
      XPayAuthModule.forRoot({ baseUrl: xpay.url }),
      XPayAuthModule.forRoot({ name: 'two', baseUrl: xpay.url }),
    ],
    controllers: [PassportController, NamedController],
  });
  const stop = async () => {
    await running.stop();
    await xpay.stop();
  };
  return {
    ...running,
    stop,
    statuses: (path) =>
      Promise.all(
        [key, OTHER_KEY[key] ?? ''].map(
          async (secretKey) => (await running.fetch(path, { headers: basic('sam', secretKey) })).status,
        ),
      ),
    [Symbol.asyncDispose]: stop,
  };
}

/** Calls Passport as a middleware of Fastify does: with a request of Node, which does not name an app. */
function authenticateWithoutApp(): Promise<unknown> {
  const headers = basic('sam', 'first');
  return new Promise((resolve, reject) => {
    const done = (failure: unknown, user: unknown) => (failure === null ? resolve(user) : reject(failure));
    const authenticate = passport.authenticate('xpay', { session: false }, done) as (...args: unknown[]) => void;
    authenticate({ headers, rawHeaders: Object.entries(headers).flat() }, {}, reject);
  });
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

  it('I14 · in two apps of one process, each strategy calls the upstream of the app that received the request', async () => {
    await using here = await startTwin(platform, 'here');
    await using there = await startTwin(platform, 'there');
    for (const path of ['/passport', '/named']) {
      for (const app of [here, there]) expect([path, ...(await app.statuses(path))]).toEqual([path, 200, 401]);
    }
    const { accessToken } = await here.app.get(XPaySessionService).login({ username: 'sam', secretKey: 'here' });
    const statusAt = async (app: Twin) => (await app.fetch('/passport', { headers: bearer(accessToken) })).status;
    expect([await statusAt(here), await statusAt(there)]).toEqual([200, 401]);
  });

  it.each(['first', 'second'] as const)(
    'I14 · after the %s app of a process was closed, the strategies of the other app still work',
    async (closed) => {
      await using first = await startTwin(platform, 'first');
      await using second = await startTwin(platform, 'second');
      const [gone, other] = closed === 'first' ? [first, second] : [second, first];
      await gone.stop();
      for (const path of ['/passport', '/named']) {
        expect([path, ...(await other.statuses(path))]).toEqual([path, 200, 401]);
      }
    },
  );

  it('I14 · a strategy refuses a request if several apps have the strategy and the app of the request is not known', async () => {
    await using first = await startTwin(platform, 'first');
    expect(await authenticateWithoutApp()).toMatchObject({ username: 'sam' });
    await using second = await startTwin(platform, 'second');
    await expect(authenticateWithoutApp()).rejects.toMatchObject({ cause: { code: 'configuration' } });
    await first.stop();
    await second.stop();
  });

  it('I14 · an app does not use a named strategy that only another app of the process has', async () => {
    await using there = await startTwin(platform, 'there');
    await using here = await startInbound(platform, { controllers: [NamedController] });
    expect(await here.status('/named', basic('sam', 'there'))).toBe(500);
    expect(here.logged).toContainEqual(expect.stringContaining('"xpay-two" belongs to another app of this process'));
    expect((await there.statuses('/named'))[0]).toBe(200);
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
