import { describe, expect, it } from '@jest/globals';
import { Controller, type ExecutionContext, Get, UseGuards } from '@nestjs/common';
import {
  AnyScope,
  Authenticated,
  Public,
  Scopes,
  ScopesGuard,
  XPayAuthError,
  XPayAuthGuard,
  XPayAuthModule,
} from 'nestjs-xpay-auth';
import { startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { RoutesController, asAda, asRoot, startInbound } from '../support/inbound-app.js';
import { basic, platforms, startApp } from '../support/start-app.js';

@Scopes('tme_admin')
@Controller('class')
class ClassController {
  @Get('inherits')
  inherits() {
    return 'admin';
  }

  @Scopes('tme_user')
  @Get('own')
  own() {
    return 'user';
  }

  @Authenticated()
  @Get('any')
  any() {
    return 'any';
  }

  @Public()
  @Get('open')
  open() {
    return 'open';
  }
}

@Controller('several')
class SeveralController {
  @Scopes('a', 'b')
  @Get('all')
  all() {
    return 'all';
  }

  @AnyScope('a', 'b')
  @Get('any')
  any() {
    return 'any';
  }

  @Scopes('a')
  @AnyScope('b', 'c')
  @Get('both')
  both() {
    return 'both';
  }
}

@UseGuards(ScopesGuard)
@Controller('scopes-guard-alone')
class ScopesGuardAloneController {
  @Get()
  read() {
    return 'the handler ran';
  }
}

@UseGuards(XPayAuthGuard, XPayAuthGuard)
@Controller('twice')
class TwiceController {
  @Authenticated()
  @UseGuards(XPayAuthGuard)
  @Get()
  read() {
    return 'once';
  }
}

const holder = (username: string, ...scopes: string[]) => ({ username, secretKey: 'k', scopes });

/** A context with this name and the content of an HTTP context. */
function contextOf(type: string): ExecutionContext {
  const request = { headers: asAda };
  return {
    getType: () => type,
    getClass: () => ClassController,
    getHandler: () => Object.getOwnPropertyDescriptor(ClassController.prototype, 'own')?.value as object,
    switchToHttp: () => ({ getRequest: () => request, getResponse: () => ({}) }),
    getArgs: () => [request],
  } as unknown as ExecutionContext;
}

describe.each(platforms)('scopes on %s', (platform) => {
  it.each(['user first', 'admin first'])(
    'I12 B5 · a cache hit never skips the scopes of a route: %s',
    async (order) => {
      await using app = await startInbound(platform);
      const paths = order === 'user first' ? ['/user', '/admin'] : ['/admin', '/user'];
      for (let i = 0; i < 2; i++) {
        for (const path of paths) {
          expect(await app.status(path, asAda)).toBe(path === '/user' ? 200 : 403);
          expect(await app.status(path, asRoot)).toBe(path === '/admin' ? 200 : 403);
        }
      }
      expect(app.asked()).toBe(2);
    },
  );

  it('I12 · sessions are checked for the same scopes', async () => {
    await using app = await startInbound(platform);
    const { accessToken } = await app.sessions.login({ username: 'ada@example.test', secretKey: 'ada-secret-key' });
    const headers = { authorization: `Bearer ${accessToken}` };
    expect([await app.status('/user', headers), await app.status('/admin', headers)]).toEqual([200, 403]);
  });

  it('I12 · scopes are compared whole and case-sensitively, and unknown ones are harmless', async () => {
    const near = [
      'TME_ADMIN',
      'tme_admin ',
      'tme_admi',
      'tme_admins',
      'tme',
      '*',
      '',
      'tme_user tme_admin',
      'tme_user',
    ];
    await using app = await startInbound(platform, { accounts: [holder('near', ...near), holder('none')] });
    expect(await app.status('/user', basic('near', 'k'))).toBe(200);
    expect(await app.status('/admin', basic('near', 'k'))).toBe(403);
    expect(await app.status('/me', basic('none', 'k'))).toBe(200);
    expect(await app.status('/user', basic('none', 'k'))).toBe(403);
  });

  it('I12 · all, any, and both combined', async () => {
    const accounts = [
      holder('a', 'a'),
      holder('b', 'b'),
      holder('ab', 'a', 'b'),
      holder('ac', 'a', 'c'),
      holder('bc', 'b', 'c'),
    ];
    await using app = await startInbound(platform, { accounts, controllers: [SeveralController, RoutesController] });
    const may = async (path: string): Promise<string[]> => {
      const allowed: string[] = [];
      for (const { username } of accounts) {
        if ((await app.status(`/several/${path}`, basic(username, 'k'))) === 200) allowed.push(username);
      }
      return allowed;
    };
    expect(await may('all')).toEqual(['ab']);
    expect(await may('any')).toEqual(['a', 'b', 'ab', 'ac', 'bc']);
    expect(await may('both')).toEqual(['ab', 'ac']);
    const denied = await app.fetch('/several/both', { headers: basic('bc', 'k') });
    expect(denied.headers.get('www-authenticate')).toBe('Bearer error="insufficient_scope", scope="a b c"');
  });

  it('I12 · a scope implies another only by the hierarchy of the options', async () => {
    await using plain = await startInbound(platform);
    expect(await plain.status('/user', asRoot)).toBe(403);
    await using ranked = await startInbound(platform, { options: { scopeHierarchy: { tme_admin: ['tme_user'] } } });
    expect([await ranked.status('/user', asRoot), await ranked.status('/admin', asAda)]).toEqual([200, 403]);
  });

  it('I12 · the decorator of the method overrides that of the class', async () => {
    await using app = await startInbound(platform, { controllers: [ClassController, RoutesController] });
    const statuses = async (path: string) => [
      await app.status(`/class/${path}`),
      await app.status(`/class/${path}`, asAda),
      await app.status(`/class/${path}`, asRoot),
    ];
    expect(await statuses('inherits')).toEqual([401, 403, 200]);
    expect(await statuses('own')).toEqual([401, 200, 403]);
    expect(await statuses('any')).toEqual([401, 200, 200]);
    expect(await statuses('open')).toEqual([200, 200, 200]);
  });

  it('I12 · a ScopesGuard without an XPayAuthGuard rejects every caller', async () => {
    await using app = await startInbound(platform, { controllers: [ScopesGuardAloneController, RoutesController] });
    expect([await app.status('/scopes-guard-alone'), await app.status('/scopes-guard-alone', asAda)]).toEqual([
      401, 401,
    ]);
  });

  it('I12 · guards on the app, the class and the method decide once', async () => {
    await using xpay = await startXPayEmulator({ accounts: [holder('ada', 'tme_user')] });
    await using app = await startApp(platform, {
      imports: [XPayAuthModule.forRoot({ baseUrl: xpay.url, globalGuards: true, verification: { periodMs: 1 } })],
      controllers: [TwiceController],
    });
    // Cached for 1 ms, so that a second decision would cause a second upstream call.
    xpay.faults.always({ kind: 'delay', ms: 5 });
    expect((await app.fetch('/twice', { headers: basic('ada', 'k') })).status).toBe(200);
    expect(xpay.requests()).toBe(1);
  });

  it.each(['something else', 'HTTP', 'constructor', ''])(
    'I13 · the context "%s" is unknown: rejected',
    async (type) => {
      await using app = await startInbound(platform, { controllers: [ClassController, RoutesController] });
      for (const guard of [app.app.get(XPayAuthGuard), app.app.get(ScopesGuard)]) {
        expect(() => guard.canActivate(contextOf(type))).toThrow(expect.objectContaining({ status: 500 }));
      }
      expect(app.asked()).toBe(0);
    },
  );

  it.each(['ws', 'rpc', 'graphql'])('I13 · a context "%s" that looks like HTTP is rejected', async (type) => {
    await using app = await startInbound(platform, { controllers: [ClassController, RoutesController] });
    for (const guard of [app.app.get(XPayAuthGuard), app.app.get(ScopesGuard)]) {
      await expect(guard.canActivate(contextOf(type))).rejects.toMatchObject({ cause: expect.any(XPayAuthError) });
    }
    expect(app.asked()).toBe(0);
  });
});
