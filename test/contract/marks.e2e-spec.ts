import { describe, expect, it } from '@jest/globals';
import { Controller, Get } from '@nestjs/common';
import {
  AnyScope,
  Authenticated,
  CurrentUser,
  OptionalAuth,
  type Principal,
  Public,
  Scopes,
  UseXPay,
  XPayAuthModule,
} from 'nestjs-xpay-auth';
import { type XPayEmulator, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { type RunningApp, basic, platforms, startApp } from '../support/start-app.js';

const accounts = [
  { username: 'user', secretKey: 'user-key', scopes: ['tme_user'] },
  { username: 'admin', secretKey: 'admin-key', scopes: ['tme_admin'] },
  { username: 'both', secretKey: 'both-key', scopes: ['tme_user', 'tme_admin'] },
  { username: 'none', secretKey: 'none-key', scopes: [] },
];

function who(caller: Principal | undefined): { caller: string } {
  return { caller: caller?.username ?? 'nobody' };
}

@Controller('marks')
class MarksController {
  @Scopes('tme_user', 'tme_admin')
  @Get('both')
  both(@CurrentUser() caller: Principal) {
    return who(caller);
  }

  @AnyScope('tme_user', 'tme_admin')
  @Get('either')
  either(@CurrentUser() caller: Principal) {
    return who(caller);
  }

  @Scopes('tme_admin')
  @AnyScope('tme_user', 'reports:read')
  @Get('combined')
  combined(@CurrentUser() caller: Principal) {
    return who(caller);
  }

  @Authenticated()
  @Get('authenticated')
  authenticated(@CurrentUser() caller: Principal) {
    return who(caller);
  }

  @OptionalAuth()
  @Get('optional')
  optional(@CurrentUser() caller: Principal | undefined) {
    return who(caller);
  }

  @Get('unmarked')
  unmarked() {
    return { caller: 'unknown' };
  }

  @Get('unmarked-user')
  unmarkedUser(@CurrentUser() caller: Principal) {
    return who(caller);
  }
}

@Controller('class')
@Scopes('tme_admin')
class MarkedController {
  @Get('inherited')
  inherited() {
    return { in: true };
  }

  @Scopes('tme_user')
  @Get('own')
  own() {
    return { in: true };
  }

  @Public()
  @Get('public')
  public() {
    return { in: true };
  }
}

abstract class BaseController {
  @Get()
  read() {
    return { in: true };
  }
}

@Controller('open')
@Public()
class OpenController extends BaseController {}

@Controller('closed')
@Scopes('tme_admin')
class ClosedController extends BaseController {}

const controllers = [MarksController, MarkedController, OpenController, ClosedController];

/** The response for each account, and for an anonymous caller. */
async function statuses(app: RunningApp, path: string): Promise<Record<string, number>> {
  const entries = accounts.map(async ({ username, secretKey }) => {
    return [username, (await app.fetch(path, { headers: basic(username, secretKey) })).status] as const;
  });
  return { ...Object.fromEntries(await Promise.all(entries)), nobody: (await app.fetch(path)).status };
}

describe.each(platforms)('decorators on %s', (platform) => {
  async function withApp(
    run: (app: RunningApp, emulator: XPayEmulator) => Promise<void>,
    options: { globalGuards?: boolean } = {},
  ): Promise<void> {
    await using emulator = await startXPayEmulator({ accounts });
    await using app = await startApp(platform, {
      imports: [XPayAuthModule.forRoot({ baseUrl: emulator.url, ...options })],
      controllers,
    });
    await run(app, emulator);
  }

  it.each([
    ['/marks/both', { user: 403, admin: 403, both: 200, none: 403, nobody: 401 }],
    ['/marks/either', { user: 200, admin: 200, both: 200, none: 403, nobody: 401 }],
    ['/marks/combined', { user: 403, admin: 403, both: 200, none: 403, nobody: 401 }],
    ['/marks/authenticated', { user: 200, admin: 200, both: 200, none: 200, nobody: 401 }],
    ['/marks/optional', { user: 200, admin: 200, both: 200, none: 200, nobody: 200 }],
    ['/class/inherited', { user: 403, admin: 200, both: 200, none: 403, nobody: 401 }],
    ['/class/own', { user: 200, admin: 403, both: 200, none: 403, nobody: 401 }],
    ['/class/public', { user: 200, admin: 200, both: 200, none: 200, nobody: 200 }],
    ['/open', { user: 200, admin: 200, both: 200, none: 200, nobody: 200 }],
    ['/closed', { user: 403, admin: 200, both: 200, none: 403, nobody: 401 }],
  ])('I12 · %s accepts exactly the permitted callers', async (path, expected) => {
    await withApp(async (app) => {
      expect(await statuses(app, path)).toEqual(expected);
      // Again, now that every caller is cached.
      expect(await statuses(app, path)).toEqual(expected);
    });
  });

  it('@OptionalAuth() accepts anonymous callers, and still rejects wrong credentials and unknown schemes', async () => {
    await withApp(async (app, emulator) => {
      expect(await (await app.fetch('/marks/optional')).json()).toEqual({ caller: 'nobody' });
      expect(await (await app.fetch('/marks/optional', { headers: basic('user', 'user-key') })).json()).toEqual({
        caller: 'user',
      });
      expect((await app.fetch('/marks/optional', { headers: basic('user', 'wrong') })).status).toBe(401);
      expect((await app.fetch('/marks/optional', { headers: { authorization: 'Digest x' } })).status).toBe(401);
      emulator.faults.always({ kind: 'unavailable' });
      expect((await app.fetch('/marks/optional', { headers: basic('admin', 'admin-key') })).status).toBe(503);
    });
  });

  it('@CurrentUser() without a guard throws configuration and does not return the user of the request', async () => {
    await withApp(async (app) => {
      const response = await app.fetch('/marks/unmarked-user', { headers: basic('user', 'user-key') });
      expect(response.status).toBe(500);
      expect(await response.json()).toMatchObject({ errorCode: 'configuration' });
    });
  });

  it('globalGuards protect every route without a decorator, and only @Public() opens one', async () => {
    await withApp(
      async (app) => {
        expect(await statuses(app, '/marks/unmarked')).toEqual({
          user: 200,
          admin: 200,
          both: 200,
          none: 200,
          nobody: 401,
        });
        expect((await app.fetch('/class/public')).status).toBe(200);
        expect((await app.fetch('/open')).status).toBe(200);
      },
      { globalGuards: true },
    );
  });

  it('a guard on the app, the class and the method decides once', async () => {
    await withApp(
      async (app, emulator) => {
        emulator.resetLedger();
        expect((await app.fetch('/class/own', { headers: basic('user', 'wrong') })).status).toBe(401);
        expect((await app.fetch('/class/own', { headers: basic('user', 'user-key') })).status).toBe(200);
        expect(emulator.requests('/client/authenticate')).toBe(2);
      },
      { globalGuards: true },
    );
  });
});

/** Decorates a method of a new class when it is called. */
function onMethod(...decorators: MethodDecorator[]): () => void {
  return () => {
    class Sample {
      handler(): void {}
    }
    const descriptor = Object.getOwnPropertyDescriptor(Sample.prototype, 'handler') as PropertyDescriptor;
    for (const decorate of decorators) decorate(Sample.prototype, 'handler', descriptor);
  };
}

describe('invalid decorators', () => {
  it.each<[string, () => void, RegExp]>([
    ['an empty @Scopes()', () => onMethod(Scopes())(), /names no scope.*@Authenticated\(\)/],
    ['an empty @AnyScope()', () => onMethod(AnyScope())(), /names no scope/],
    ['a scope with a space', () => onMethod(Scopes('tme_user tme_admin'))(), /is no scope \(RFC 6749/],
    ['a scope with a quote', () => onMethod(Scopes('tme"user'))(), /is no scope/],
    ['an empty scope', () => onMethod(Scopes(''))(), /is no scope/],
    [
      '@Public() beside @Scopes',
      onMethod(Public(), Scopes('tme_user')),
      /Sample\.handler contradicts @Public\(\) beside it/,
    ],
    ['@Scopes beside @Public()', onMethod(Scopes('tme_user'), Public()), /contradicts @Scopes beside it/],
    ['@OptionalAuth() beside @Scopes', onMethod(OptionalAuth(), Scopes('tme_user')), /contradicts/],
    ['@Authenticated() beside @Public()', onMethod(Authenticated(), Public()), /contradicts/],
    ['two @Scopes', onMethod(Scopes('tme_user'), Scopes('tme_admin')), /twice/],
    ['two @UseXPay', onMethod(UseXPay('a'), UseXPay('b')), /twice/],
  ])('%s throws where it is applied', (_, write, message) => {
    expect(write).toThrow(message);
    expect(write).toThrow(expect.objectContaining({ code: 'configuration' }));
  });

  it('@Authenticated() beside @Scopes is redundant and allowed', () => {
    expect(onMethod(Authenticated(), Scopes('tme_user'), AnyScope('tme_admin'))).not.toThrow();
  });
});
