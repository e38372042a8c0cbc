import { describe, expect, it } from '@jest/globals';
import { Controller, Get, type INestApplication, UseGuards } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { AuthGuard } from '@nestjs/passport';
import { CurrentUser, OptionalAuth, Principal, Public, Scopes, UseXPay, XPayAuthModule } from 'nestjs-xpay-auth';
import { startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { type Platform, type RunningApp, basic, platforms, startApp } from '../support/start-app.js';

const admin = { username: 'admin', secretKey: 'admin-key', scopes: ['tme_admin'] };
const other = { username: 'other', secretKey: 'other-key', scopes: ['tme_admin'] };

@Controller()
class AdminController {
  @Scopes('tme_admin')
  @Get('by-guard')
  byGuard() {
    return {};
  }

  @UseXPay('second')
  @OptionalAuth()
  @Get('optional')
  optional(@CurrentUser() caller: Principal | undefined) {
    return { caller: caller?.username ?? 'nobody' };
  }
}

@Controller('by-passport')
@UseGuards(AuthGuard('xpay'))
class PassportController {
  @Scopes('tme_admin')
  @Get()
  read() {
    return {};
  }
}

/** As a careless middleware does: the user on the request was not set by the guard. */
function putting(user: unknown): (app: INestApplication) => void {
  return (app) => {
    app.use((request: { user?: unknown }, _response: unknown, next: () => void) => {
      request.user = user;
      next();
    });
  };
}

function twoInstances(platform: Platform, baseUrl: string): Promise<RunningApp> {
  return startApp(platform, {
    imports: [XPayAuthModule.forRoot({ baseUrl }), XPayAuthModule.forRoot({ name: 'second', baseUrl })],
    controllers: [AdminController, PassportController],
  });
}

describe.each(platforms)('foreign principals on %s', (platform) => {
  it('I14 · rejects a principal that this instance did not create', async () => {
    await using emulator = await startXPayEmulator({ accounts: [admin] });
    const facts = { username: 'admin', scopes: ['tme_admin'], isAPI: true, expiresAt: undefined, instance: 'default' };
    const imports = [
      XPayAuthModule.forRoot({ baseUrl: emulator.url }),
      XPayAuthModule.forRoot({ name: 'second', baseUrl: emulator.url }),
    ];
    await using app = await startApp(
      'express',
      { imports, controllers: [AdminController] },
      putting(new Principal(facts)),
    );
    expect((await app.fetch('/by-guard')).status).toBe(401);
    expect(await (await app.fetch('/optional')).json()).toEqual({ caller: 'nobody' });
    expect((await app.fetch('/by-guard', { headers: basic('admin', 'admin-key') })).status).toBe(200);
  });

  it("I14 · the strategy of another app in Passport's registry accepts no caller here, and is removed with its app", async () => {
    await using mine = await startXPayEmulator({ accounts: [admin] });
    await using theirs = await startXPayEmulator({ accounts: [other] });
    const [asAdmin, asOther] = [{ headers: basic('admin', 'admin-key') }, { headers: basic('other', 'other-key') }];
    await using first = await twoInstances(platform, mine.url);
    const second = await twoInstances(platform, theirs.url);
    expect((await second.fetch('/by-passport', asOther)).status).toBe(200);
    expect((await first.fetch('/by-passport', asOther)).status).toBe(401);
    await second.stop();
    expect((await first.fetch('/by-passport', asOther)).status).toBe(401);
    expect((await first.fetch('/by-passport', asAdmin)).status).toBe(200);
    expect((await first.fetch('/by-guard', asAdmin)).status).toBe(200);
  });
});

/** As tracing and transaction decorators do. */
function Wrap(): MethodDecorator {
  return (_target, _key, descriptor: PropertyDescriptor) => {
    const original = descriptor.value as (...args: unknown[]) => unknown;
    descriptor.value = function wrapped(this: unknown, ...args: unknown[]) {
      return original.apply(this, args);
    };
  };
}

@Controller()
class WrappedController {
  @Get()
  @Wrap()
  @Scopes('tme_admin')
  read() {
    return {};
  }
}

@Controller()
class MarkedAboveController {
  @Get()
  @Scopes('tme_admin')
  @Wrap()
  read() {
    return {};
  }
}

@Controller()
class OverridingController extends MarkedAboveController {
  @Get()
  override read() {
    return { open: true };
  }
}

@Controller()
class OverridingOpenlyController extends MarkedAboveController {
  @Public()
  @Get()
  override read() {
    return { open: true };
  }
}

async function boot(controller: new () => object): Promise<void> {
  const imports = [XPayAuthModule.forRoot({ baseUrl: 'http://127.0.0.1:9' })];
  const module = await Test.createTestingModule({ imports, controllers: [controller] }).compile();
  module.useLogger(false);
  await module.init();
  await module.close();
}

describe('a lost decorator stops the boot', () => {
  it.each([
    ['a decorator above it replaced the method', WrappedController],
    ['a subclass overrode the method without a decorator', OverridingController],
  ])('%s', async (_, controller) => {
    await expect(boot(controller)).rejects.toThrow(/GET \/ \(\w+\.read\): its access decorator is lost/);
  });

  it('and only in these cases', async () => {
    await expect(boot(MarkedAboveController)).resolves.toBeUndefined();
    await expect(boot(OverridingOpenlyController)).resolves.toBeUndefined();
  });
});
