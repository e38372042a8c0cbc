import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Controller, Get, Injectable, Module } from '@nestjs/common';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { Socket } from 'node:net';
import {
  Authenticated,
  CurrentUser,
  InjectXPay,
  type Principal,
  XPayAuthModule,
  XPayHttpService,
  XPaySessionService,
  XPayTokenService,
} from 'nestjs-xpay-auth';
import {
  ManualClock,
  type UpstreamTrouble,
  XPayAuthTestingModule,
  XPayTestUpstream,
  asUser,
  testCredentials,
} from 'nestjs-xpay-auth/testing';

const FIND = '/client/wallets/find';

@Injectable()
class Wallets {
  constructor(
    readonly xpay: XPayHttpService,
    readonly tokens: XPayTokenService,
    @InjectXPay(XPayHttpService, 'gift') readonly gifts: XPayHttpService,
    @InjectXPay(XPayTokenService, 'gift') readonly giftTokens: XPayTokenService,
  ) {}
}

@Controller()
class RoutesController {
  constructor(private readonly wallets: Wallets) {}

  @Authenticated()
  @Get('me')
  me() {
    return {};
  }

  @Authenticated()
  @Get('wallets')
  find() {
    return this.wallets.xpay.post('/client/wallets/find', { page: 1, at: new Date(0), nothing: undefined });
  }

  @Authenticated()
  @Get('own-wallets')
  findOwn(@CurrentUser() caller: Principal) {
    return this.wallets.xpay.asCaller(caller).post(FIND);
  }
}

@Module({
  imports: [
    XPayAuthModule.forRoot({ verification: { keepUpstreamToken: true }, session: { keepUpstreamToken: true } }),
    XPayAuthModule.forRoot({ name: 'gift', dialect: 'gift-stream' }),
  ],
  controllers: [RoutesController],
  providers: [Wallets],
})
class AppModule {}

interface Stage extends AsyncDisposable {
  readonly app: NestFastifyApplication;
  readonly upstream: XPayTestUpstream;
  readonly wallets: Wallets;
  get(path: string, headers?: { authorization: string }): Promise<{ status: number; body: { errorCode?: string } }>;
}

async function stage(): Promise<Stage> {
  const testing = await Test.createTestingModule({ imports: [AppModule, XPayAuthTestingModule] }).compile();
  testing.useLogger(false);
  const app = testing.createNestApplication<NestFastifyApplication>(new FastifyAdapter());
  await app.init();
  return {
    app,
    upstream: app.get(XPayTestUpstream),
    wallets: app.get(Wallets),
    get: async (url, headers = asUser({ username: 'ada' })) => {
      const answer = await app.inject({ url, headers });
      return { status: answer.statusCode, body: answer.json() };
    },
    [Symbol.asyncDispose]: () => app.close(),
  };
}

afterEach(() => {
  jest.restoreAllMocks();
});

describe('XPayTestUpstream', () => {
  it('opens no socket, whatever the app calls', async () => {
    const connect = jest.spyOn(Socket.prototype, 'connect');
    await using at = await stage();
    at.upstream.answer('/client/wallets/find', []);
    await at.get('/me');
    await at.get('/wallets');
    await at.get('/me', { authorization: 'Basic nonsense' });
    expect(connect).not.toHaveBeenCalled();
  });

  it("answers the app's calls, and records them", async () => {
    await using at = await stage();
    at.upstream.answer('/client/wallets/find', [{ currency: 'USDT', opened: new Date(0) }]);
    expect((await at.get('/wallets')).body).toEqual([{ currency: 'USDT', opened: '1970-01-01T00:00:00.000Z' }]);
    expect(at.upstream.calls).toEqual([
      { method: 'POST', path: '/client/wallets/find', body: { page: 1, at: '1970-01-01T00:00:00.000Z' } },
    ]);
    at.upstream.answer('/client/wallets/find', undefined);
    expect(await at.wallets.xpay.post('/client/wallets/find')).toBeNull();
    expect(at.upstream.calls[1]).toEqual({ method: 'POST', path: '/client/wallets/find', body: undefined });
  });

  it('P1 · records the caller of a call through asCaller, and rejects the token of a refused user', async () => {
    await using at = await stage();
    at.upstream.answer(FIND, []);
    const headers = asUser({ username: 'ada' });
    const { accessToken } = await at.app.get(XPaySessionService).login(testCredentials({ username: 'bob' }));
    expect((await at.get('/own-wallets', headers)).status).toBe(200);
    expect((await at.get('/own-wallets', { authorization: `Bearer ${accessToken}` })).status).toBe(200);
    expect(at.upstream.calls).toEqual([
      { method: 'POST', path: FIND, body: undefined, caller: 'ada' },
      { method: 'POST', path: FIND, body: undefined, caller: 'bob' },
    ]);
    at.upstream.refuse('bob');
    const ended = await at.get('/own-wallets', { authorization: `Bearer ${accessToken}` });
    expect(ended).toMatchObject({ status: 401, body: { errorCode: 'invalid_token' } });
    at.upstream.recover();
    expect((await at.get('/me', { authorization: `Bearer ${accessToken}` })).status).toBe(401);
  });

  it('A1 · answers with a message and other fields', async () => {
    await using at = await stage();
    at.upstream.answer('/client/bills/view', { billRef: 'b-1' }, { message: 'bill found', meta: { total: 5 } });
    const answer = { data: { billRef: 'b-1' }, uuid: expect.any(String), message: 'bill found', meta: { total: 5 } };
    expect(await at.wallets.xpay.request({ path: '/client/bills/view' })).toEqual(answer);
    at.upstream.answer('/client/bills/view', null);
    const empty = { data: null, uuid: expect.any(String), meta: {} };
    expect(await at.wallets.xpay.request({ path: '/client/bills/view' })).toEqual(empty);
  });

  it('A2 · answers with one page, or with several pages', async () => {
    await using at = await stage();
    const path = '/client/wallets/find';
    const items = async (body?: object): Promise<unknown[]> => {
      const all: unknown[] = [];
      for await (const item of at.wallets.xpay.pages(path, body)) all.push(item);
      return all;
    };
    at.upstream.answer(path, ['a', 'b']);
    expect(await items()).toEqual(['a', 'b']);
    at.upstream.answerPages(path, [['a', 'b'], [], ['c']]);
    expect(await items({ pageSize: 2 })).toEqual(['a', 'b', 'c']);
    expect(at.upstream.calls.map(({ body }) => body)).toEqual([
      { page: 1 },
      { page: 1, pageSize: 2 },
      { page: 2, pageSize: 2 },
      { page: 3, pageSize: 2 },
    ]);
    expect(await at.wallets.xpay.post(path)).toEqual(['a', 'b']);
    expect([await items({ page: 3 }), await items({ page: 4 })]).toEqual([['c'], []]);
    at.upstream.answerPages(path, []);
    expect(await items()).toEqual([]);
  });

  it('A2 · ends a list that never ends after 10,000 pages', async () => {
    await using at = await stage();
    at.upstream.answer('/client/wallets/find', [], { meta: { nextPage: true } });
    const pages = at.wallets.xpay.pages('/client/wallets/find')[Symbol.asyncIterator]();
    await expect(pages.next()).rejects.toMatchObject({ code: 'configuration' });
    expect(at.upstream.calls).toHaveLength(10_000);
  });

  it('A2 · has no pages where the dialect of the app has none, as in production', async () => {
    await using at = await stage();
    at.upstream.of('gift').answer('/sites', []);
    const pages = at.wallets.gifts.pages('/sites')[Symbol.asyncIterator]();
    await expect(pages.next()).rejects.toMatchObject({ code: 'configuration' });
  });

  it('throws an error that explains how to prepare a missing response', async () => {
    await using at = await stage();
    expect(await at.get('/wallets')).toMatchObject({ status: 502, body: { errorCode: 'upstream_business_error' } });
    await expect(at.wallets.xpay.post('/a')).rejects.toThrow("app.get(XPayTestUpstream).answer('/a', data)");
    await expect(at.wallets.gifts.post('/b')).rejects.toThrow(
      "app.get(XPayTestUpstream).of('gift').answer('/b', data)",
    );
  });

  it('returns one token, and a new one after a rejection', async () => {
    await using at = await stage();
    const { tokens, giftTokens } = at.wallets;
    expect(tokens.peek()).toBeUndefined();
    expect(await tokens.authorizationHeader()).toBe(`Bearer ${at.upstream.accessToken}`);
    expect((await tokens.getToken()).value).toBe('test-access-token');
    await tokens.invalidate('test-access-token');
    expect((await tokens.getToken()).value).toBe('test-access-token-2');
    expect(at.upstream.accessToken).toBe('test-access-token-2');
    expect((await giftTokens.getToken()).value).toBe(at.upstream.of('gift').accessToken);
    expect(at.upstream.of('gift').accessToken).toBe('test-access-token-of-gift');
  });

  it('rejects a user from the next request on, with the same headers, and no other user', async () => {
    await using at = await stage();
    const headers = asUser({ username: 'ada' });
    expect((await at.get('/me', headers)).status).toBe(200);
    at.upstream.refuse('ada');
    expect(await at.get('/me', headers)).toMatchObject({ status: 401, body: { errorCode: 'invalid_credentials' } });
    expect((await at.get('/me', asUser({ username: 'bob' }))).status).toBe(200);
    at.upstream.recover();
    expect((await at.get('/me', headers)).status).toBe(200);
  });

  it.each([
    ['upstream_unavailable', 503],
    ['upstream_rate_limited', 503],
    ['upstream_timeout', 504],
    ['upstream_malformed', 502],
    ['upstream_business_error', 502],
  ] as const)('fails with %s: %d for callers and calls, never 401, until it recovers', async (code, status) => {
    await using at = await stage();
    at.upstream.answer('/client/wallets/find', []);
    const headers = asUser({ username: 'ada' });
    expect((await at.get('/wallets', headers)).status).toBe(200);
    at.upstream.fail(code satisfies UpstreamTrouble);
    expect(await at.get('/me', headers)).toMatchObject({ status, body: { errorCode: code } });
    await expect(at.wallets.xpay.post('/client/wallets/find')).rejects.toMatchObject({ code });
    await expect(at.wallets.tokens.refresh()).rejects.toMatchObject({ code });
    expect((await at.wallets.giftTokens.getToken()).value).toBe('test-access-token-of-gift');
    at.upstream.recover();
    expect((await at.get('/wallets', headers)).status).toBe(200);
    await expect(at.wallets.tokens.refresh()).resolves.toHaveProperty('value', 'test-access-token-2');
  });

  it('keeps a cached token and a session valid while it fails, as in production', async () => {
    await using at = await stage();
    const session = await at.app.get(XPaySessionService).login(testCredentials({ username: 'ada' }));
    await at.wallets.tokens.getToken();
    at.upstream.fail();
    expect((await at.get('/me', { authorization: `Bearer ${session.accessToken}` })).status).toBe(200);
    expect((await at.wallets.tokens.getToken()).value).toBe('test-access-token');
  });

  it('uses no clock: it recovers even if the clock stands still', async () => {
    const clock = new ManualClock();
    const testing = await Test.createTestingModule({ imports: [XPayAuthTestingModule.forRoot({ clock })] }).compile();
    testing.useLogger(false);
    await testing.init();
    const [upstream, tokens] = [testing.get(XPayTestUpstream), testing.get(XPayTokenService)];
    upstream.fail('upstream_rate_limited');
    await expect(tokens.getToken()).rejects.toMatchObject({ code: 'upstream_rate_limited' });
    upstream.recover();
    expect((await tokens.getToken()).value).toBe('test-access-token');
    await testing.close();
  });
});
