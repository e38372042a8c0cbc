import { describe, expect, it } from '@jest/globals';
import { Controller, Get } from '@nestjs/common';
import {
  Authenticated,
  CurrentUser,
  type Principal,
  Public,
  Scopes,
  UseXPay,
  XPayAuthModule,
  XPaySessionService,
} from 'nestjs-xpay-auth';
import { startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { asAda, asRoot, startInbound } from '../support/inbound-app.js';
import { basic, bearer, platforms, startApp } from '../support/start-app.js';

/** One name at two upstreams, with different keys and scopes. */
const sam = (secretKey: string, ...scopes: string[]) => ({ username: 'sam', secretKey, scopes });

abstract class BaseController {
  @Get('report')
  report() {
    return 'report';
  }
}

@Public()
@Controller('open')
class OpenController extends BaseController {}

@Scopes('tme_admin')
@Controller('closed')
class ClosedController extends BaseController {}

@Controller('one')
class OneController {
  @Authenticated()
  @Get()
  read(@CurrentUser() { scopes, instance }: Principal) {
    return { scopes, instance };
  }
}

@UseXPay('two')
@Scopes('tme_admin')
@Controller('two')
class TwoController {
  @Get()
  read(@CurrentUser() { scopes, instance }: Principal) {
    return { scopes, instance };
  }
}

describe.each(platforms)('isolation on %s', (platform) => {
  it('I14 B6 · two apps in one process: neither accepts callers of the other, also from its cache', async () => {
    await using here = await startInbound(platform, { accounts: [sam('here-key', 'tme_user')] });
    await using there = await startInbound(platform, { accounts: [sam('there-key', 'tme_admin')] });
    for (let i = 0; i < 2; i++) {
      for (const [app, mine, other, path] of [
        [here, 'here-key', 'there-key', '/user'],
        [there, 'there-key', 'here-key', '/admin'],
      ] as const) {
        expect(await app.status(path, basic('sam', mine))).toBe(200);
        expect(await app.status(path, basic('sam', other))).toBe(401);
      }
    }
    const { accessToken } = await here.sessions.login(sam('here-key'));
    expect([await here.status('/me', bearer(accessToken)), await there.status('/me', bearer(accessToken))]).toEqual([
      200, 401,
    ]);
    await there.sessions.revokeAll();
    expect(await here.status('/me', bearer(accessToken))).toBe(200);
  });

  it('I14 B6 · two named instances: each calls its own upstream and uses only its responses', async () => {
    await using one = await startXPayEmulator({ accounts: [sam('k', 'tme_user')] });
    await using two = await startXPayEmulator({ accounts: [sam('k', 'tme_admin')] });
    await using app = await startApp(platform, {
      imports: [
        XPayAuthModule.forRoot({ baseUrl: one.url }),
        XPayAuthModule.forRoot({ name: 'two', baseUrl: two.url, verification: { realm: 'second' } }),
      ],
      controllers: [OneController, TwoController],
    });
    for (let i = 0; i < 2; i++) {
      const answers = await Promise.all(
        ['/one', '/two'].map(async (path) => (await app.fetch(path, { headers: basic('sam', 'k') })).json()),
      );
      expect(answers).toEqual([
        { scopes: ['tme_user'], instance: 'default' },
        { scopes: ['tme_admin'], instance: 'two' },
      ]);
    }
    expect([one.requests(), two.requests()]).toEqual([1, 1]);
    expect((await app.fetch('/two')).headers.get('www-authenticate')).toContain('realm="second"');
    const { accessToken } = await app.app.get(XPaySessionService).login(sam('k'));
    expect((await app.fetch('/two', { headers: bearer(accessToken) })).status).toBe(401);
    two.removeAccount('sam');
    expect((await app.fetch('/one', { headers: basic('sam', 'k') })).status).toBe(200);
  });

  it('I14 · a base controller with an open and an admin subclass: one handler with two rules, whichever is called first', async () => {
    for (const first of ['open', 'closed']) {
      await using app = await startInbound(platform, { controllers: [OpenController, ClosedController] });
      await app.status(`/${first}/report`);
      expect([await app.status('/open/report'), await app.status('/closed/report')]).toEqual([200, 401]);
      expect(await app.status('/closed/report', asAda)).toBe(403);
      expect(await app.status('/closed/report', asRoot)).toBe(200);
    }
  });
});
