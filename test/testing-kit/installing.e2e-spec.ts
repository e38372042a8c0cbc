import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, type DynamicModule, Get, Injectable, Module, type Type } from '@nestjs/common';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test, type TestingModuleBuilder } from '@nestjs/testing';
import { type XPayAuthOptionsFactory, Scopes, XPayAuthModule, XPaySessionService } from 'nestjs-xpay-auth';
import {
  MemoryStore,
  XPayAuthTestingModule,
  asUser,
  startXPayEmulator,
  testCredentials,
} from 'nestjs-xpay-auth/testing';

@Controller()
class AdminController {
  @Scopes('tme_admin')
  @Get('admin')
  admin() {
    return {};
  }

  @Get('unmarked')
  unmarked() {
    return {};
  }
}

@Injectable()
class Options implements XPayAuthOptionsFactory {
  createXPayAuthOptions() {
    return { credentials: () => Promise.reject(new Error('no vault here')) };
  }
}

type Imports = (Type | DynamicModule)[];

/** An app without any code for tests, as users write it. */
function appWith(...imports: Imports): Type {
  @Module({ imports, controllers: [AdminController] })
  class AppModule {}
  return AppModule;
}

async function running<T>(
  builder: TestingModuleBuilder,
  play: (status: (path: string, headers?: object) => Promise<number>, app: NestFastifyApplication) => Promise<T>,
): Promise<T> {
  const testing = await builder.compile();
  testing.useLogger(false);
  const app = testing.createNestApplication<NestFastifyApplication>(new FastifyAdapter());
  try {
    await app.init();
    return await play(
      async (url, headers = {}) => (await app.inject({ url, headers: { ...headers } })).statusCode,
      app,
    );
  } finally {
    await app.close();
  }
}

const anAdmin = { username: 'root', scopes: ['tme_admin'] };
const boot = (imports: Imports): Promise<void> =>
  running(Test.createTestingModule({ imports }), () => Promise.resolve());

const variables = ['NODE_ENV', 'XPAY_USERNAME', 'XPAY_SECRET_KEY', 'XPAY_BASE_URL', 'XPAY_DIALECT', 'XPAY_REDIS_URL'];
const before = variables.map((name) => [name, process.env[name]] as const);
afterEach(() => {
  for (const [name, value] of before) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
});

describe('XPayAuthTestingModule beside an app', () => {
  it.each<[string, () => Type]>([
    ['forRoot() with nothing set', () => appWith(XPayAuthModule.forRoot())],
    ['forRootAsync whose vault is unavailable', () => appWith(XPayAuthModule.forRootAsync({ useClass: Options }))],
    ['a dialect without a default base URL', () => appWith(XPayAuthModule.forRoot({ dialect: 'password-login' }))],
    ['globalGuards', () => appWith(XPayAuthModule.forRoot({ globalGuards: true }))],
    ['isGlobal: false', () => appWith(XPayAuthModule.forRoot({ isGlobal: false }))],
    ['warmUp', () => appWith(XPayAuthModule.forRoot({ token: { warmUp: true } }))],
    ['bearers alone', () => appWith(XPayAuthModule.forRoot({ verification: { extractors: ['bearer'] } }))],
    ["the upstream's own tokens", () => appWith(XPayAuthModule.forRoot({ session: { token: 'upstream' } }))],
    ['long-lived secrets', () => appWith(XPayAuthModule.forRoot({ dialect: 'gift-stream' }))],
  ])('works for %s, before it and after it in the imports', async (_, app) => {
    for (const imports of [
      [app(), XPayAuthTestingModule],
      [XPayAuthTestingModule, app()],
    ]) {
      await running(Test.createTestingModule({ imports }), async (status) => {
        expect(await status('/admin', asUser(anAdmin))).toBe(200);
        expect(await status('/admin', asUser({ username: 'ada', scopes: ['tme_user'] }))).toBe(403);
        expect(await status('/admin')).toBe(401);
      });
    }
  });

  it('reads no environment variables, so a test is the same on every machine', async () => {
    process.env['XPAY_USERNAME'] = 'only-half-of-an-account@example.test';
    process.env['XPAY_BASE_URL'] = 'not a url';
    process.env['XPAY_DIALECT'] = 'no such dialect';
    process.env['XPAY_REDIS_URL'] = 'no store either';
    await running(
      Test.createTestingModule({ imports: [appWith(XPayAuthModule.forRoot()), XPayAuthTestingModule] }),
      async (status) => expect(await status('/admin', asUser(anAdmin))).toBe(200),
    );
  });

  it("opens no store, even if the app's options name one, so concurrent tests share nothing", async () => {
    const used: string[] = [];
    const store = new Proxy(new MemoryStore(), {
      get(target, key) {
        const member: unknown = Reflect.get(target, key);
        if (typeof member !== 'function') return member;
        return (...args: unknown[]): unknown => {
          used.push(String(key));
          return Reflect.apply(member, target, args);
        };
      },
    });
    const shared = appWith(XPayAuthModule.forRoot({ store, verification: { share: true }, token: { warmUp: true } }));
    await running(Test.createTestingModule({ imports: [shared, XPayAuthTestingModule] }), async (status, app) => {
      expect(await status('/admin', asUser(anAdmin))).toBe(200);
      const sessions = app.get(XPaySessionService);
      const { accessToken } = await sessions.login(testCredentials(anAdmin));
      expect(await status('/admin', { authorization: `Bearer ${accessToken}` })).toBe(200);
      await sessions.revokeUser(anAdmin.username);
      expect(await status('/admin', { authorization: `Bearer ${accessToken}` })).toBe(401);
    });
    expect(used).toEqual([]);
  });

  it("validates the app's options as in production", async () => {
    const circle = XPayAuthModule.forRoot({ scopeHierarchy: { a: ['b'], b: ['a'] } });
    await expect(boot([appWith(circle), XPayAuthTestingModule])).rejects.toThrow(/circle|cycle|implies itself/i);
    const secretive = XPayAuthModule.forRoot({ dialect: 'gift-stream', session: { token: 'upstream' } });
    await expect(boot([appWith(secretive), XPayAuthTestingModule])).rejects.toThrow(/session\.token: 'upstream'/);
    const nothing = XPayAuthModule.forRootAsync({ useFactory: () => undefined as never });
    await expect(boot([appWith(nothing), XPayAuthTestingModule])).rejects.toThrow(/the factory returned no options/);
    const undeclared = XPayAuthModule.forRoot({ undeclaredRoutes: 'deny' });
    await expect(boot([appWith(undeclared), XPayAuthTestingModule])).rejects.toThrow(/GET \/unmarked/);
  });

  it('replaces a module that the app keeps in a constant, by overrideModule', async () => {
    const auth = XPayAuthModule.forRoot();
    const builder = Test.createTestingModule({ imports: [appWith(auth)] })
      .overrideModule(auth)
      .useModule(XPayAuthTestingModule.forRoot());
    await running(builder, async (status) => expect(await status('/admin', asUser(anAdmin))).toBe(200));
  });

  it('is distinguished from the mocks of an auto-mocker', async () => {
    await using upstream = await startXPayEmulator({ accounts: [] });
    const app = appWith(XPayAuthModule.forRoot({ baseUrl: upstream.url }));
    const builder = Test.createTestingModule({ imports: [app] }).useMocker(() => ({ createInstance: () => ({}) }));
    await running(builder, async (status) => {
      expect(await status('/admin', asUser(anAdmin))).toBe(401);
      expect(upstream.requests('/client/authenticate')).toBe(1);
    });
  });

  it('stops the boot if there is nothing to replace, or one thing twice', async () => {
    await expect(boot([XPayAuthTestingModule])).rejects.toThrow(
      'XPayAuthTestingModule: no XPayAuthModule is imported. For a part of an app that has none write XPayAuthTestingModule.forRoot().',
    );
    await expect(boot([appWith(XPayAuthModule.forRoot()), XPayAuthTestingModule.forRoot()])).rejects.toThrow(
      /two instances named "default".*without \.forRoot\(\)/,
    );
  });
});

describe('asUser outside of tests', () => {
  it('is rejected as wrong credentials by the same app without the testing module', async () => {
    await using upstream = await startXPayEmulator({
      accounts: [{ username: 'root', secretKey: 'root-key', scopes: ['tme_admin'] }],
    });
    const app = appWith(XPayAuthModule.forRoot({ baseUrl: upstream.url }));
    const headers = asUser(anAdmin);
    // In one process, also beside an app that has it.
    await running(Test.createTestingModule({ imports: [app, XPayAuthTestingModule] }), async (tested) => {
      expect(await tested('/admin', headers)).toBe(200);
      await running(Test.createTestingModule({ imports: [app] }), async (status, production) => {
        expect(await status('/admin', headers)).toBe(401);
        expect(upstream.ledger.at(-1)).toMatchObject({ outcome: 'refused' });
        const login = production.get(XPaySessionService).login(testCredentials(anAdmin));
        await expect(login).rejects.toMatchObject({ code: 'invalid_credentials' });
      });
    });
  });

  it('cannot be forged outside the process: its headers contain only the username and a random key', () => {
    const [one, two] = [asUser(anAdmin), asUser(anAdmin)].map(({ authorization }) => authorization);
    expect(one).not.toBe(two);
    const text = Buffer.from(String(one).slice('Basic '.length), 'base64').toString();
    expect(text).toMatch(/^root:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  });

  it('does not start in production', async () => {
    process.env['NODE_ENV'] = 'production';
    for (const imports of [
      [XPayAuthTestingModule.forRoot()],
      [appWith(XPayAuthModule.forRoot()), XPayAuthTestingModule],
    ]) {
      await expect(boot(imports)).rejects.toThrow(/for tests, and does not start with NODE_ENV=production/);
    }
  });
});
