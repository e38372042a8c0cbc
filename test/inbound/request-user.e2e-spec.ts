import { describe, expect, it } from '@jest/globals';
import {
  type CanActivate,
  Controller,
  type ExecutionContext,
  Get,
  type INestApplication,
  Injectable,
  Req,
  UseGuards,
} from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { Context, Query, Resolver } from '@nestjs/graphql';
import { AuthGuard, PassportStrategy } from '@nestjs/passport';
import {
  Authenticated,
  CurrentUser,
  OptionalAuth,
  Principal,
  Scopes,
  ScopesGuard,
  XPayAuthGuard,
  XPayAuthModule,
} from 'nestjs-xpay-auth';
import { startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { Strategy } from 'passport-custom';
import { startApi } from '../support/graphql-app.js';
import { ada, asAda, asRoot, root, startInbound } from '../support/inbound-app.js';
import { type Platform, type RunningApp, platforms, startApp } from '../support/start-app.js';

interface Request {
  user?: unknown;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly req?: Request;
}

/** A guard of an app: replaces the user with another object. */
@Injectable()
class AccountGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const args = context.getArgs<Request[]>();
    const request = context.getType<string>() === 'graphql' ? args[2]?.req : args[0];
    if (request !== undefined) request.user = { id: 7 };
    return true;
  }
}

const seen = (caller: Principal | undefined, { user }: Request) => ({ caller: caller?.username ?? null, user });

@Controller()
class RoutesController {
  // Decorators add their guards from the bottom up, so AccountGuard runs between two pairs of this library's guards.
  @UseGuards(XPayAuthGuard, ScopesGuard)
  @UseGuards(AccountGuard)
  @Scopes('tme_user')
  @Get('between')
  between(@CurrentUser() caller: Principal, @Req() request: Request) {
    return seen(caller, request);
  }

  @Scopes('tme_user')
  @UseGuards(AccountGuard)
  @Get('before')
  before(@CurrentUser() caller: Principal, @Req() request: Request) {
    return seen(caller, request);
  }

  @UseGuards(AccountGuard)
  @Authenticated()
  @Get('after')
  after(@CurrentUser() caller: Principal, @Req() request: Request) {
    return seen(caller, request);
  }

  @OptionalAuth()
  @UseGuards(AccountGuard)
  @Get('optional')
  optional(@CurrentUser() caller: Principal | undefined, @Req() request: Request) {
    return seen(caller, request);
  }

  @Authenticated()
  @Get('plain')
  plain(@CurrentUser() caller: Principal, @Req() request: Request) {
    return { same: request.user === caller };
  }
}

const callerAda = { caller: ada.username, user: { id: 7 } };

const json = async (app: RunningApp, path: string): Promise<unknown> =>
  (await app.fetch(path, { headers: asAda })).json();

describe.each(platforms)('request.user on %s', (platform) => {
  const start = () => startInbound(platform, { controllers: [RoutesController] });

  it('D10 · keeps a user that a guard after ours sets, and @CurrentUser() returns our principal', async () => {
    await using app = await start();
    expect([await json(app, '/after'), await json(app, '/between')]).toEqual([callerAda, callerAda]);
    expect(await app.status('/between', asRoot)).toBe(403);
    expect(app.asked()).toBe(2);
  });

  it('D10 · keeps a user that a guard before ours set, with credentials and without', async () => {
    await using app = await start();
    expect([await json(app, '/before'), await json(app, '/optional')]).toEqual([callerAda, callerAda]);
    expect(await (await app.fetch('/optional')).json()).toEqual({ caller: null, user: { id: 7 } });
    expect([await app.status('/before'), await app.status('/before', asRoot)]).toEqual([401, 403]);
  });

  it('D10 · is the principal if nothing else was set', async () => {
    await using app = await start();
    expect(await json(app, '/plain')).toEqual({ same: true });
  });

  it('D10 · keeps a user that a global guard after globalGuards sets', async () => {
    await using xpay = await startXPayEmulator({ accounts: [ada, root] });
    await using app = await startApp(platform, {
      imports: [XPayAuthModule.forRoot({ baseUrl: xpay.url, globalGuards: true })],
      controllers: [RoutesController],
      providers: [{ provide: APP_GUARD, useClass: AccountGuard }],
    });
    for (const path of ['/after', '/between', '/before']) expect(await json(app, path)).toEqual(callerAda);
    expect((await app.fetch('/between', { headers: asRoot })).status).toBe(403);
    expect((await app.fetch('/after')).status).toBe(401);
  });
});

/** Authenticates every request that sends `x-badge: guest`. */
@Injectable()
class BadgeStrategy extends PassportStrategy(Strategy, 'badge') {
  validate({ headers }: Request) {
    return headers['x-badge'] === 'guest' ? { username: 'guest' } : false;
  }
}

/** The principal of the first request, which a careless middleware sets on later ones. */
let moved: unknown;

function putMoved(request: Request, _: unknown, next: () => void): void {
  if (moved !== undefined) request.user = moved;
  next();
}

function putMovedUser(app: INestApplication, platform: Platform): void {
  if (platform === 'express') app.use(putMoved);
  else (app.getHttpAdapter().getInstance() as HookTarget).addHook('onRequest', putMoved);
}

interface HookTarget {
  addHook(name: string, hook: typeof putMoved): void;
}

@Controller()
class PassportController {
  @UseGuards(ScopesGuard)
  @UseGuards(AccountGuard)
  @UseGuards(AuthGuard('xpay'))
  @Get('passport')
  passport(@CurrentUser() caller: Principal, @Req() request: Request) {
    return seen(caller, request);
  }

  @UseGuards(ScopesGuard)
  @UseGuards(AuthGuard(['xpay', 'badge']))
  @Get('either')
  either(@CurrentUser() caller: Principal) {
    return { caller: caller.username };
  }

  @Authenticated()
  @Get('me')
  me(@Req() { user }: Request) {
    moved = user;
    return {};
  }

  @UseGuards(ScopesGuard)
  @Get('scopes-alone')
  scopesAlone() {
    return {};
  }

  @Get('current-user-alone')
  currentUserAlone(@CurrentUser() { username }: Principal) {
    return { username };
  }
}

@UseGuards(AuthGuard('xpay-two'))
@Controller('two')
class NamedController {
  @Get()
  read(@CurrentUser() { instance }: Principal) {
    return { instance };
  }
}

describe.each(platforms)("decisions of Passport's strategy on %s", (platform: Platform) => {
  // Registers itself with Passport when it is constructed.
  const strategy = new BadgeStrategy();

  it("D10 · count for @CurrentUser() and ScopesGuard, also where a guard replaced request.user after AuthGuard('xpay')", async () => {
    await using app = await startInbound(platform, { controllers: [PassportController] });
    expect(await (await app.fetch('/passport', { headers: asAda })).json()).toEqual(callerAda);
    expect(await (await app.fetch('/either', { headers: asAda })).json()).toEqual({ caller: ada.username });
    // Another strategy accepted this caller, so there is no principal of ours.
    expect(await app.status('/either', { 'x-badge': 'guest' })).toBe(401);
    expect(strategy).toBeDefined();
  });

  it('D10 · count for @CurrentUser(), whichever instance decided', async () => {
    await using xpay = await startXPayEmulator({ accounts: [ada] });
    await using app = await startApp(platform, {
      imports: [XPayAuthModule.forRoot({ name: 'two', baseUrl: xpay.url })],
      controllers: [NamedController],
    });
    expect(await (await app.fetch('/two', { headers: asAda })).json()).toEqual({ instance: 'two' });
  });

  it('D10 · a principal that was moved to another request is rejected there', async () => {
    await using app = await startInbound(platform, {
      controllers: [PassportController],
      configure: (nest) => putMovedUser(nest, platform),
    });
    moved = undefined;
    expect(await app.status('/me', asAda)).toBe(200);
    expect(Principal.isPrincipal(moved)).toBe(true);
    expect([
      await app.status('/me'),
      await app.status('/scopes-alone'),
      await app.status('/current-user-alone'),
    ]).toEqual([401, 401, 500]);
  });
});

@Resolver()
class FieldsResolver {
  @UseGuards(AccountGuard)
  @Scopes('tme_user')
  @Query(() => String)
  first(@CurrentUser() caller: Principal, @Context('req') request: Request) {
    return JSON.stringify(seen(caller, request));
  }

  @Scopes('tme_user')
  @Query(() => String)
  second(@CurrentUser() caller: Principal, @Context('req') request: Request) {
    return JSON.stringify(seen(caller, request));
  }
}

describe('request.user of a GraphQL request', () => {
  it.each([false, true])('D10 · keeps a user that a guard of the app sets (globalGuards: %s)', async (globalGuards) => {
    await using api = await startApi({ resolvers: [FieldsResolver], options: { globalGuards } });
    const { data } = await api.query('{ first second }', asAda);
    expect(data).toEqual({ first: JSON.stringify(callerAda), second: JSON.stringify(callerAda) });
  });
});
