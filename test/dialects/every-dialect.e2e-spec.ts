import { describe, expect, it } from '@jest/globals';
import { Controller, Get, Inject } from '@nestjs/common';
import {
  Authenticated,
  CurrentUser,
  type DialectName,
  type Principal,
  Public,
  XPayAuthModule,
  type XPayAuthOptions,
  XPayHttpService,
  type XPayRequest,
  XPayTokenService,
} from 'nestjs-xpay-auth';
import {
  type GiftStreamEmulator,
  type PasswordLoginEmulator,
  type XPayEmulator,
  startGiftStreamEmulator,
  startPasswordLoginEmulator,
  startXPayEmulator,
} from 'nestjs-xpay-auth/testing';
import { type Platform, basic, platforms, startApp } from '../support/start-app.js';

const app = { username: 'app@example.test', secretKey: 'the key of the app' };
const ada = { username: 'ada@example.test', secretKey: 'the key of ada' };
const accounts = [app, ada];

const CALL = Symbol('a call of the upstream');

@Controller()
class EveryController {
  constructor(
    @Inject(XPayTokenService) private readonly tokens: XPayTokenService,
    @Inject(XPayHttpService) private readonly http: XPayHttpService,
    @Inject(CALL) private readonly call: XPayRequest,
  ) {}

  @Authenticated()
  @Get('me')
  me(@CurrentUser() { username, scopes }: Principal) {
    return { username, scopes };
  }

  @Public()
  @Get('own')
  async own() {
    const [one, other] = await Promise.all([this.tokens.getToken(), this.tokens.getToken()]);
    return { same: one === other, state: this.tokens.status().state };
  }

  @Public()
  @Get('data')
  async data() {
    return { data: (await this.http.request(this.call)).data };
  }
}

type AnyEmulator = GiftStreamEmulator | PasswordLoginEmulator | XPayEmulator;

interface Upstream {
  /** The value of `dialect`. */
  readonly dialect: DialectName;
  readonly loginPath: string;
  readonly call: XPayRequest;
  readonly start: () => Promise<AnyEmulator>;
}

const upstreams: readonly Upstream[] = [
  {
    dialect: 'xpay',
    loginPath: '/client/authenticate',
    call: { path: '/client/wallets/find', body: { page: 1, pageSize: 1 } },
    start: () => startXPayEmulator({ accounts }),
  },
  {
    dialect: 'gift-stream',
    loginPath: '/authenticate',
    call: { method: 'GET', path: '/sites' },
    // A test that ends a token needs a different one within the same second.
    start: () => startGiftStreamEmulator({ accounts, equalTokensWithinASecond: false }),
  },
  {
    dialect: 'password-login',
    loginPath: '/auth/login',
    call: { method: 'GET', path: '/users/me' },
    start: () => startPasswordLoginEmulator({ accounts }),
  },
];

const everywhere = upstreams.flatMap((upstream) =>
  platforms.map((platform) => ({ ...upstream, platform, where: `${upstream.dialect} on ${platform}` })),
);

function running(platform: Platform, call: XPayRequest, options: XPayAuthOptions) {
  return startApp(platform, {
    imports: [XPayAuthModule.forRoot({ credentials: app, ...options })],
    controllers: [EveryController],
    providers: [{ provide: CALL, useValue: call }],
  });
}

describe.each(everywhere)('$where', ({ platform, dialect, loginPath, call, start }) => {
  it('I1 · authenticates a caller by Basic, with one upstream call for two requests', async () => {
    await using emulator = await start();
    await using served = await running(platform, call, { dialect, baseUrl: emulator.url });
    for (let i = 0; i < 2; i++) {
      const answer = await served.fetch('/me', { headers: basic(ada.username, ada.secretKey) });
      expect([answer.status, await answer.json()]).toEqual([200, expect.objectContaining({ username: ada.username })]);
    }
    expect(emulator.requests()).toBe(1);
    expect(emulator.requests(loginPath)).toBe(1);
  });

  it('I7 · rejects a wrong secret and an unknown user with the same 401 and challenge', async () => {
    await using emulator = await start();
    await using served = await running(platform, call, { dialect, baseUrl: emulator.url });
    const bodies: string[] = [];
    for (const username of [ada.username, 'nobody@example.test']) {
      const answer = await served.fetch('/me', { headers: basic(username, 'a wrong key') });
      expect(answer.status).toBe(401);
      expect(answer.headers.get('www-authenticate')).toMatch(/^Basic realm="xpay"/);
      bodies.push(await answer.text());
    }
    expect(bodies[0]).toBe(bodies[1]);
    expect(JSON.parse(bodies[0] ?? '')).toMatchObject({ errorCode: 'invalid_credentials' });
  });

  it('I6 · an upstream that is down is a 503 with Retry-After, never a 401, and is not cached', async () => {
    await using emulator = await start();
    await using served = await running(platform, call, { dialect, baseUrl: emulator.url });
    await emulator.pause();
    const down = await served.fetch('/me', { headers: basic(ada.username, ada.secretKey) });
    expect([down.status, await down.json()]).toEqual([
      503,
      expect.objectContaining({ errorCode: 'upstream_unavailable' }),
    ]);
    expect(down.headers.get('retry-after')).toMatch(/^\d+$/);
    expect(down.headers.get('www-authenticate')).toBeNull();
    await emulator.resume();
    expect((await served.fetch('/me', { headers: basic(ada.username, ada.secretKey) })).status).toBe(200);
  });

  it('O1 · twenty callers of the token service cost one login', async () => {
    await using emulator = await start();
    await using served = await running(platform, call, { dialect, baseUrl: emulator.url });
    const answers = await Promise.all(Array.from({ length: 20 }, async () => (await served.fetch('/own')).json()));
    expect(answers).toEqual(Array.from({ length: 20 }, () => ({ same: true, state: 'fresh' })));
    expect(emulator.requests()).toBe(1);
  });

  it('O15 · calls the API, and continues after its token was rejected early', async () => {
    await using emulator = await start();
    await using served = await running(platform, call, { dialect, baseUrl: emulator.url });
    const before = await served.fetch('/data');
    expect(before.status).toBe(200);
    emulator.revokeTokens();
    const after = await served.fetch('/data');
    expect([after.status, await after.json()]).toEqual([200, await before.json()]);
    expect(emulator.requests(loginPath)).toBe(2);
    expect(
      emulator.ledger.filter(({ outcome }) => outcome === 'bad_bearer' || outcome === 'business_error'),
    ).not.toEqual([]);
  });
});

it.each(['gift-stream', 'password-login'] as const)(
  'E1 · with %s a GET with a body throws `configuration` that names the dialect, and is not sent',
  async (dialect) => {
    const upstream = upstreams.find((one) => one.dialect === dialect);
    await using emulator = await (upstream as Upstream).start();
    await using served = await running('fastify', { path: '/' }, { dialect, baseUrl: emulator.url });
    const call = served.app.get(XPayHttpService).request({ method: 'GET', path: '/users/me', body: { page: 1 } });
    const message = expect.stringContaining(`${dialect}: a GET has no body`) as unknown;
    await expect(call).rejects.toMatchObject({ code: 'configuration', message });
    expect(emulator.requests('/users/me')).toBe(0);
  },
);

it('password-login has no default baseUrl, so the boot error names the missing option', async () => {
  await expect(running('express', { path: '/' }, { dialect: 'password-login' })).rejects.toMatchObject({
    code: 'configuration',
    message: expect.stringContaining('baseUrl'),
  });
});
