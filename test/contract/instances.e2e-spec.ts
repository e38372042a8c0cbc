import { describe, expect, it } from '@jest/globals';
import { Controller, Get, Inject, Injectable, Module, Scope, UseGuards, mixin } from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import {
  Authenticated,
  type Credentials,
  CurrentUser,
  InjectXPay,
  type Principal,
  Public,
  Scopes,
  ScopesGuard,
  UseXPay,
  XPayAuthGuard,
  XPayAuthModule,
  type XPayAuthOptionsFactory,
  XPaySessionService,
  XPayTokenService,
  getXPayInjectionToken,
} from 'nestjs-xpay-auth';
import { startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { basic, bearer, platforms, startApp } from '../support/start-app.js';

const ada = { username: 'ada', secretKey: 'ada-key', scopes: ['tme_user'] };
const gus = { username: 'gus', secretKey: 'gus-key', scopes: ['tme_user'] };

function account({ username, secretKey }: Credentials): Credentials {
  return { username, secretKey };
}

@Controller()
class TwoController {
  @Authenticated()
  @Get('first')
  first(@CurrentUser() { username, instance }: Principal) {
    return { username, instance };
  }

  @UseXPay('second')
  @Authenticated()
  @Get('second')
  second(@CurrentUser() { username, instance }: Principal) {
    return { username, instance };
  }
}

@UseXPay('second')
@Controller('all-second')
class SecondController {
  @Get()
  read(@CurrentUser() { instance }: Principal) {
    return { instance };
  }
}

describe.each(platforms)('instances on %s', (platform) => {
  it('I14 · two named instances have separate callers, sessions and tokens', async () => {
    await using one = await startXPayEmulator({ accounts: [ada] });
    await using two = await startXPayEmulator({ accounts: [gus] });

    @Injectable()
    class Both {
      constructor(
        readonly first: XPayTokenService,
        @InjectXPay(XPayTokenService, 'second') readonly second: XPayTokenService,
        @InjectXPay(XPaySessionService, 'second') readonly sessions: XPaySessionService,
      ) {}
    }
    await using running = await startApp(platform, {
      imports: [
        XPayAuthModule.forRoot({ baseUrl: one.url, credentials: account(ada) }),
        XPayAuthModule.forRoot({ name: 'second', baseUrl: two.url, credentials: account(gus) }),
      ],
      controllers: [TwoController, SecondController],
      providers: [Both],
    });

    const asAda = { headers: basic('ada', 'ada-key') };
    const asGus = { headers: basic('gus', 'gus-key') };
    expect(await (await running.fetch('/first', asAda)).json()).toEqual({ username: 'ada', instance: 'default' });
    expect(await (await running.fetch('/second', asGus)).json()).toEqual({ username: 'gus', instance: 'second' });
    expect(await (await running.fetch('/all-second', asGus)).json()).toEqual({ instance: 'second' });
    expect((await running.fetch('/first', asGus)).status).toBe(401);
    // @UseXPay alone also protects: it accepts any valid caller of that instance, and no other.
    expect((await running.fetch('/all-second')).status).toBe(401);
    expect((await running.fetch('/all-second', asAda)).status).toBe(401);
    expect((await running.fetch('/second', asAda)).status).toBe(401);

    const both = running.app.get(Both);
    expect(two.isLive((await both.second.getToken()).value)).toBe(true);
    expect(one.isLive((await both.first.getToken()).value)).toBe(true);
    expect(both.second.status()).not.toEqual(both.first.status());

    const session = await both.sessions.login(gus);
    expect((await running.fetch('/second', { headers: bearer(session.accessToken) })).status).toBe(200);
    expect((await running.fetch('/first', { headers: bearer(session.accessToken) })).status).toBe(401);
  });

  it('I14 · two apps in one process share nothing, whichever was built last', async () => {
    await using one = await startXPayEmulator({ accounts: [ada] });
    await using two = await startXPayEmulator({ accounts: [gus] });
    const build = (baseUrl: string) =>
      startApp(platform, { imports: [XPayAuthModule.forRoot({ baseUrl })], controllers: [OneController] });

    @Controller()
    class OneController {
      @Authenticated()
      @Get()
      read(@CurrentUser() { username }: Principal) {
        return { username };
      }
    }
    await using first = await build(one.url);
    await using second = await build(two.url);
    for (const [app, mine, other] of [
      [first, ada, gus],
      [second, gus, ada],
    ] as const) {
      expect((await app.fetch('/', { headers: basic(mine.username, mine.secretKey) })).status).toBe(200);
      expect((await app.fetch('/', { headers: basic(other.username, other.secretKey) })).status).toBe(401);
    }
  });

  it('guards resolve in a feature module that imports nothing', async () => {
    await using emulator = await startXPayEmulator({ accounts: [ada] });

    @Controller()
    class FeatureController {
      @Scopes('tme_user')
      @Get()
      read() {
        return { in: true };
      }
    }
    @Module({ controllers: [FeatureController] })
    class FeatureModule {}

    await using app = await startApp(platform, {
      imports: [FeatureModule, XPayAuthModule.forRoot({ baseUrl: emulator.url, isGlobal: false })],
    });
    expect((await app.fetch('/', { headers: basic('ada', 'ada-key') })).status).toBe(200);
    expect((await app.fetch('/')).status).toBe(401);
  });

  it.each(['useFactory', 'useClass', 'useExisting'] as const)('forRootAsync gets its options by %s', async (way) => {
    await using emulator = await startXPayEmulator({ accounts: [ada] });

    @Injectable()
    class Factory implements XPayAuthOptionsFactory {
      createXPayAuthOptions() {
        return { baseUrl: emulator.url, verification: { realm: 'made' } };
      }
    }
    @Module({ providers: [Factory], exports: [Factory] })
    class FactoryModule {}

    const source = {
      useFactory: { useFactory: (made: Factory) => made.createXPayAuthOptions(), inject: [Factory] },
      useClass: { useClass: Factory },
      useExisting: { useExisting: Factory },
    }[way];
    await using app = await startApp(platform, {
      imports: [XPayAuthModule.forRootAsync({ imports: [FactoryModule], globalGuards: true, ...source })],
      controllers: [TwoPublicController],
    });
    expect((await app.fetch('/open')).status).toBe(200);
    const refused = await app.fetch('/closed');
    expect(refused.status).toBe(401);
    expect(refused.headers.get('www-authenticate')).toContain('realm="made"');
    expect((await app.fetch('/closed', { headers: basic('ada', 'ada-key') })).status).toBe(200);
  });
});

@Controller()
class TwoPublicController {
  @Public()
  @Get('open')
  open() {
    return {};
  }

  @Get('closed')
  closed() {
    return {};
  }
}

@Controller()
class UndeclaredController {
  @Get('nobody-said')
  read() {
    return {};
  }
}

@Controller()
class DeclaredController {
  @Authenticated()
  @Get('said')
  read() {
    return {};
  }

  @Public()
  @Get('said-open')
  open() {
    return {};
  }
}

@Controller()
class ElsewhereController {
  @UseXPay('nowhere')
  @Authenticated()
  @Get()
  read() {
    return {};
  }
}

async function boot(imports: unknown[], controllers: (new () => object)[] = []): Promise<void> {
  const module = await Test.createTestingModule({ imports: imports as [], controllers }).compile();
  module.useLogger(false);
  await module.init();
  await module.close();
}

describe('the boot', () => {
  const baseUrl = 'http://127.0.0.1:9';
  it.each([
    [
      'two unnamed instances',
      () => [XPayAuthModule.forRoot({ baseUrl }), XPayAuthModule.forRoot({ baseUrl })],
      /two unnamed/,
    ],
    [
      'two instances with one name',
      () => [XPayAuthModule.forRoot({ name: 'a', baseUrl }), XPayAuthModule.forRoot({ name: 'a', baseUrl })],
      /two instances named "a"/,
    ],
    [
      'globalGuards twice',
      () => [
        XPayAuthModule.forRoot({ globalGuards: true, baseUrl }),
        XPayAuthModule.forRoot({ name: 'b', globalGuards: true, baseUrl }),
      ],
      /globalGuards: the instances "default" and "b" both set it/,
    ],
  ])('stops for %s', async (_, imports, message) => {
    await expect(boot(imports())).rejects.toThrow(message);
  });

  it("stops for an undeclared route under undeclaredRoutes: 'deny', and names it", async () => {
    const denying = () => [XPayAuthModule.forRoot({ baseUrl, undeclaredRoutes: 'deny' })];
    await expect(boot(denying(), [UndeclaredController])).rejects.toThrow(
      /undeclaredRoutes: 'deny'.*GET \/nobody-said \(UndeclaredController\.read\)/,
    );
    await expect(boot(denying(), [DeclaredController])).resolves.toBeUndefined();
    const guarding = [XPayAuthModule.forRoot({ baseUrl, undeclaredRoutes: 'deny', globalGuards: true })];
    await expect(boot(guarding, [UndeclaredController])).resolves.toBeUndefined();
  });

  it("accepts a guard that extends XPayAuthGuard under undeclaredRoutes: 'deny'", async () => {
    @Injectable()
    class OwnGuard extends XPayAuthGuard {}

    @UseGuards(OwnGuard)
    @Controller('own')
    class OwnController {
      @Get()
      read() {}

      @UseGuards(mixin(class extends XPayAuthGuard {}))
      @Get('mixin')
      readByMixin() {}
    }
    const denying = XPayAuthModule.forRoot({ baseUrl, undeclaredRoutes: 'deny' });
    await expect(boot([denying], [OwnController])).resolves.toBeUndefined();
  });

  it.each(['useFactory', 'useClass'] as const)('stops if %s depends on a request-scoped provider', async (way) => {
    @Injectable()
    class PerRequestFactory implements XPayAuthOptionsFactory {
      constructor(@Inject(REQUEST) readonly request: unknown) {}

      createXPayAuthOptions() {
        return { baseUrl };
      }
    }
    const source =
      way === 'useClass' ? { useClass: PerRequestFactory } : { inject: [REQUEST], useFactory: () => ({ baseUrl }) };
    for (const controllers of [[], [DeclaredController]]) {
      await expect(boot([XPayAuthModule.forRootAsync({ name: 'a', ...source })], controllers)).rejects.toThrow(
        /forRootAsync: its options depend on a request-scoped provider/,
      );
    }
  });

  it('runs a transient factory once', async () => {
    let runs = 0;

    @Injectable({ scope: Scope.TRANSIENT })
    class TransientFactory implements XPayAuthOptionsFactory {
      createXPayAuthOptions() {
        runs++;
        return { baseUrl };
      }
    }
    await expect(
      boot([XPayAuthModule.forRootAsync({ useClass: TransientFactory })], [DeclaredController]),
    ).resolves.toBeUndefined();
    expect(runs).toBe(1);
  });

  it('stops if the class XPayAuthModule is imported without forRoot', async () => {
    await expect(boot([XPayAuthModule], [DeclaredController])).rejects.toThrow(/Import XPayAuthModule\.forRoot\(/);
  });

  it('stops for a route whose instance does not exist', async () => {
    await expect(boot([XPayAuthModule.forRoot({ baseUrl })], [ElsewhereController])).rejects.toThrow(
      /GET \/ \(ElsewhereController\.read\): No XPayAuthModule named "nowhere"/,
    );
    await expect(boot([XPayAuthModule.forRoot({ name: 'a', baseUrl })], [DeclaredController])).rejects.toThrow(
      /No unnamed XPayAuthModule is imported \(there is: a\)/,
    );
  });

  it('forRootAsync rejects no factory, two factories, and options in the wrong place', async () => {
    expect(() => XPayAuthModule.forRootAsync({})).toThrow(
      /exactly one of useFactory, useClass and useExisting, found 0/,
    );
    expect(() => XPayAuthModule.forRootAsync({ useFactory: () => ({}), useClass: UndeclaredFactory })).toThrow(
      /found 2/,
    );
    const stray = { useFactory: () => ({}), baseUrl };
    expect(() => XPayAuthModule.forRootAsync(stray)).toThrow(/baseUrl is not an option of forRootAsync itself/);
    const misplaced = XPayAuthModule.forRootAsync({ useFactory: () => ({ baseUrl, globalGuards: true }) });
    const nothing = XPayAuthModule.forRootAsync({ useFactory: () => undefined as never });
    await expect(boot([nothing])).rejects.toThrow(/the factory returned no options/);
    await expect(boot([misplaced])).rejects.toThrow(/globalGuards: is needed before the factory runs/);
  });
});

class UndeclaredFactory implements XPayAuthOptionsFactory {
  createXPayAuthOptions() {
    return {};
  }
}

describe('in a test module', () => {
  it('global guards can be overridden', async () => {
    const open = { canActivate: () => true };
    const module = await Test.createTestingModule({
      imports: [XPayAuthModule.forRoot({ baseUrl: 'http://127.0.0.1:9', globalGuards: true })],
      controllers: [UndeclaredController],
    })
      .overrideProvider(XPayAuthGuard)
      .useValue(open)
      .overrideProvider(ScopesGuard)
      .useValue(open)
      .compile();
    const app = module.createNestApplication();
    await app.listen(0, '127.0.0.1');
    expect((await fetch(`${await app.getUrl()}/nobody-said`)).status).toBe(200);
    await app.close();
  });

  it('a service of a named instance is found by its token', async () => {
    const module = await Test.createTestingModule({
      imports: [XPayAuthModule.forRoot({ name: 'a', baseUrl: 'http://127.0.0.1:9' })],
    }).compile();
    expect(module.get(getXPayInjectionToken(XPayTokenService, 'a'))).toBeInstanceOf(XPayTokenService);
    expect(() => module.get(XPayTokenService)).toThrow();
    await module.close();
  });
});

describe('the argument of forRoot', () => {
  it.each([[[]], [5], ['options'], [true]])('%p is refused', (options) => {
    const register = (): unknown => XPayAuthModule.forRoot(options as never);
    expect(register).toThrow('XPayAuthModule.forRoot: expected an object with options.');
  });
});
