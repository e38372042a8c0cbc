import { describe, expect, it } from '@jest/globals';
import { Controller, Get, Inject, type LoggerService, Post } from '@nestjs/common';
import {
  AccessToken,
  Authenticated,
  CurrentUser,
  type GiftStreamDialectOptions,
  type Principal,
  Public,
  Scopes,
  type UpstreamAnswer,
  XPayAuthError,
  XPayAuthModule,
  type XPayAuthOptions,
  XPayHttpService,
  XPaySessionService,
  XPayTokenService,
  giftStream,
} from 'nestjs-xpay-auth';
import { claimsOf } from 'nestjs-xpay-auth/dialect';
import {
  type GiftStreamEmulator,
  type GiftStreamEmulatorOptions,
  ManualClock,
  startGiftStreamEmulator,
} from 'nestjs-xpay-auth/testing';
import { inspect } from 'node:util';
import { type RunningApp, basic, bearer, platforms, startApp } from '../support/start-app.js';
import { unsignedJwt } from '../support/unsigned-jwt.js';

const shop = { username: 'shop@example.test', secretKey: 'the key of the shop' };
const ada = { username: 'ada@example.test', secretKey: 'the key of ada' };
const LIFE_MS = 60_000;

@Controller()
class GiftController {
  constructor(
    @Inject(XPayTokenService) private readonly tokens: XPayTokenService,
    @Inject(XPaySessionService) private readonly sessions: XPaySessionService,
  ) {}

  @Authenticated()
  @Get('me')
  me(@CurrentUser() { username, scopes, isAPI, expiresAt }: Principal) {
    return { username, scopes, isAPI, expiresAt };
  }

  @Scopes('gifts:sell')
  @Get('sell')
  sell() {
    return { sold: true };
  }

  @Public()
  @Get('health')
  health() {
    return this.tokens.status();
  }

  @Public()
  @Post('login')
  async login() {
    return this.sessions.login(ada);
  }
}

interface World extends AsyncDisposable {
  readonly clock: ManualClock;
  readonly emulator: GiftStreamEmulator;
  readonly served: RunningApp;
  readonly tokens: XPayTokenService;
  readonly http: XPayHttpService;
  /** Paths of the requests so far, oldest first. */
  paths(): string[];
}

async function world(
  modes: GiftStreamEmulatorOptions = {},
  dialect: GiftStreamDialectOptions = {},
  options: XPayAuthOptions = {},
): Promise<World> {
  const clock = new ManualClock();
  const emulator = await startGiftStreamEmulator({ accounts: [shop, ada], clock, tokenLifeMs: LIFE_MS, ...modes });
  const starting = startApp('express', {
    imports: [
      XPayAuthModule.forRoot({
        dialect: giftStream(dialect),
        baseUrl: emulator.url,
        credentials: shop,
        clock,
        ...options,
      }),
    ],
    controllers: [GiftController],
  });
  const served = await starting.catch(async (failure: unknown) => {
    await emulator.stop();
    throw failure;
  });
  return {
    clock,
    emulator,
    served,
    tokens: served.app.get(XPayTokenService),
    http: served.app.get(XPayHttpService),
    paths: () => emulator.ledger.map(({ path }) => path),
    [Symbol.asyncDispose]: async () => {
      await served.stop();
      await emulator.stop();
    },
  };
}

async function withCard(at: World): Promise<void> {
  await at.http.post('/giftcard', { cardType: 1, currencyCode: 826, identifier: 'card-1', initialBalance: 10 });
  at.emulator.resetLedger();
}

/** A gift-stream 400 whose `timestamp` is set by the test, in seconds. */
function refusal(message: string, timestamp: number, receivedAt = timestamp * 1_000): UpstreamAnswer {
  const text = JSON.stringify({ message, timestamp });
  return { status: 400, text, receivedAt, upstreamNow: undefined, header: () => undefined };
}

describe('the token of gift-stream', () => {
  it.each([
    ['rotate', 'another'],
    ['keep', 'the same'],
    ['omit', 'no'],
  ] as const)(
    'issue 4 · authenticates once and then only calls /refresh over five expiries, when a refresh (%s) returns %s refresh token',
    async (refreshMode, _brings) => {
      await using at = await world({ refreshMode });
      const values = new Set([(await at.tokens.getToken()).value]);
      for (let expiry = 0; expiry < 5; expiry++) {
        await at.clock.advance(LIFE_MS + 1_000);
        values.add((await at.tokens.getToken()).value);
      }
      expect(at.paths()).toEqual(['/authenticate', ...Array.from({ length: 5 }, () => '/refresh')]);
      expect(values.size).toBe(6);
    },
  );

  it('issue 4 · logs in once when the refresh is rejected, and refreshes again after it', async () => {
    await using at = await world();
    await at.tokens.getToken();
    at.emulator.revokeTokens();
    await at.clock.advance(LIFE_MS + 1_000);
    await at.tokens.getToken();
    expect(at.paths()).toEqual(['/authenticate', '/refresh', '/authenticate']);
    await at.clock.advance(LIFE_MS + 1_000);
    await at.tokens.getToken();
    expect(at.paths().slice(3)).toEqual(['/refresh']);
  });

  it.each(['refresh-token missing', 'refresh-token not a JWT', 'token not a JWT'])(
    'issue 4 · logs in again if there is no valid refresh token: %s',
    async (what) => {
      await using at = await world();
      const transform = (body: unknown): unknown => ({
        ...(body as object),
        accessToken:
          what === 'token not a JWT'
            ? 'opaque-token'
            : unsignedJwt({
                exp: Math.floor((at.clock.now() + LIFE_MS) / 1_000),
                ...(what === 'refresh-token not a JWT' && { 'refresh-token': 'opaque-refresh' }),
              }),
      });
      at.emulator.faults.next({ kind: 'transform', transform });
      await at.tokens.getToken();
      // Without a readable exp the token has the fallback lifetime of five minutes.
      await at.clock.advance(what === 'token not a JWT' ? 300_000 : LIFE_MS);
      await at.tokens.getToken();
      expect(at.paths()).toEqual(['/authenticate', '/authenticate']);
    },
  );

  it('O10 · reads the upstream’s time from its timestamp if it sends no Date', async () => {
    await using at = await world({ dateHeader: false, clockSkewMs: -3_600_000 });
    const { expiresAt } = await at.tokens.getToken();
    expect(expiresAt).toBe(at.emulator.now() + LIFE_MS);
    expect(at.tokens.status()).toMatchObject({ state: 'fresh', clockSkewMs: -3_600_000 });
  });

  it('B13 · does not accept a refresh token as an access token', async () => {
    await using at = await world();
    const body = { message: 'OK', accessToken: unsignedJwt({ 'token-type': 'REFRESH' }) };
    at.emulator.faults.next({ kind: 'status', status: 200, body });
    await expect(at.tokens.getToken()).rejects.toMatchObject({ code: 'upstream_malformed' });
  });
});

describe('calls of gift-stream', () => {
  const sale = {
    path: '/transaction',
    body: { currencyCode: 826, identifier: 'card-1', siteId: 1, transactionTotal: 5, transactionType: 2 },
  };

  it('issue 4 · a 400 `Missing Card Id` is a business error: no new login, no refresh, no repeat', async () => {
    await using at = await world();
    await at.tokens.getToken();
    for (let i = 0; i < 3; i++) {
      await expect(at.http.request({ method: 'GET', path: '/giftcard/' })).rejects.toMatchObject({
        code: 'upstream_business_error',
        message: 'The upstream reported: Missing Card Id',
      });
    }
    expect(at.paths()).toEqual(['/authenticate', '/giftcard/', '/giftcard/', '/giftcard/']);
    expect(at.tokens.status().state).toBe('fresh');
  });

  it('O15 · a sale that is rejected because of its token is repeated once, and executed once', async () => {
    await using at = await world();
    await withCard(at);
    await at.clock.advance(2_000);
    at.emulator.revokeTokens();
    await expect(at.http.request(sale)).resolves.toMatchObject({ data: { result: 1 } });
    expect(at.paths()).toEqual(['/transaction', '/refresh', '/authenticate', '/transaction']);
    expect(at.emulator.transactions).toHaveLength(1);
  });

  it.each(['Invalid Token Amount', 'Gift token is invalid for this site', 'Missing Token Type'])(
    'O15 · a message that mentions a token is not about the access token: %s',
    async (message) => {
      await using at = await world();
      await withCard(at);
      at.emulator.faults.next({ kind: 'status', status: 400, body: { message } });
      await expect(at.http.request(sale)).rejects.toMatchObject({ code: 'upstream_business_error' });
      expect(at.paths()).toEqual(['/transaction']);
    },
  );

  it.each([
    'Missing Token',
    'invalid token',
    'Expired Token.',
    'Token expired',
    'Token is invalid',
    'Token has expired',
  ])('O15 · a message only about the access token rejects it: %s', async (message) => {
    await using at = await world();
    await at.tokens.getToken();
    await at.clock.advance(2_000);
    at.emulator.faults.next({ kind: 'status', status: 400, body: { message } }, { path: '/sites' });
    await at.http.request({ method: 'GET', path: '/sites' });
    expect(at.paths()).toEqual(['/authenticate', '/sites', '/refresh', '/sites']);
  });

  it.each([
    ['POST', '/transaction', false],
    ['GET', '/sites', true],
  ] as const)(
    'O15 · a token past its exp is rejected whatever the message of the 400, and a %s is repeated only if it reads',
    async (method, path, repeated) => {
      await using at = await world();
      const { api } = giftStream();
      const call = { method, path, uuid: '00000000-0000-4000-8000-000000000000' };
      const exp = Math.floor(at.clock.now() / 1_000);
      const token = new AccessToken(unsignedJwt({ exp }), { expiresAt: exp * 1_000 });
      expect(api.decode(refusal('Something Went Wrong', exp), call, token)).toEqual({
        kind: 'token rejected',
        untouched: repeated,
      });
      expect(() => api.decode(refusal('Something Went Wrong', exp - 1), call, token)).toThrow(XPayAuthError);
      expect(() => api.decode(refusal('Missing Card Id', exp + 1), call, token)).toThrow(XPayAuthError);
    },
  );

  it('E8 · a wrong timestamp of the upstream alone does not end a token', async () => {
    await using at = await world();
    const call = { method: 'GET', path: '/sites', uuid: '00000000-0000-4000-8000-000000000000' } as const;
    const expiresAt = at.clock.now() + LIFE_MS;
    const token = new AccessToken(unsignedJwt({ exp: expiresAt / 1_000 }), { expiresAt });
    const fast = refusal('Something Went Wrong', expiresAt / 1_000 + 7_200, at.clock.now());
    expect(() => giftStream().api.decode(fast, call, token)).toThrow('Something Went Wrong');
  });

  it('reads a gift card with the header `Authorisation`, which only that path needs', async () => {
    await using at = await world({ requireAuthorisation: true });
    await withCard(at);
    const { data } = await at.http.request({ method: 'GET', path: '/giftcard/card-1' });
    expect(data).toMatchObject([{ identifier: 'card-1', balance: 10 }]);
    await at.http.request({ method: 'GET', path: '/sites' });
    expect(at.emulator.ledger.map(({ headers }) => 'authorisation' in headers)).toEqual([true, false]);
  });

  it('sends no such header if the option disables it', async () => {
    await using at = await world({}, { authorisation: false });
    await withCard(at);
    await at.http.request({ method: 'GET', path: '/giftcard/card-1' });
    expect(at.emulator.ledger.map(({ headers }) => 'authorisation' in headers)).toEqual([false]);
  });

  it('names the field that a form cannot carry, before any call', async () => {
    await using at = await world();
    await at.tokens.getToken();
    await expect(at.http.post('/giftcard', { cardType: { id: 1 } })).rejects.toMatchObject({
      code: 'configuration',
      message: expect.stringContaining('cardType'),
    });
    expect(at.paths()).toEqual(['/authenticate']);
  });
});

describe('callers of gift-stream', () => {
  const asAda = { headers: basic(ada.username, ada.secretKey) };

  it('I12 · have no scope, unless the options set some', async () => {
    await using at = await world();
    expect((await at.served.fetch('/me', asAda)).status).toBe(200);
    expect((await at.served.fetch('/sell', asAda)).status).toBe(403);
  });

  it('I12 · all have the fixed scopes', async () => {
    await using at = await world({}, { scopes: ['gifts:sell'] });
    expect((await at.served.fetch('/sell', asAda)).status).toBe(200);
  });

  it('I12 · each have the scopes that scopesFor returns for the name from gift-stream', async () => {
    const asked: string[] = [];
    const scopesFor = async ({ username }: { username: string }): Promise<string[]> => {
      asked.push(username);
      return username === ada.username ? ['gifts:sell'] : [];
    };
    await using at = await world({}, { scopesFor });
    expect((await at.served.fetch('/sell', asAda)).status).toBe(200);
    expect((await at.served.fetch('/sell', { headers: basic(shop.username, shop.secretKey) })).status).toBe(403);
    await at.tokens.getToken();
    expect(asked).toEqual([ada.username, shop.username]);
  });

  it("I6 · a scopesFor that throws accepts no caller, and is a 500 rather than the caller's fault", async () => {
    await using at = await world({}, { scopesFor: () => Promise.reject(new Error('the table is away')) });
    const answer = await at.served.fetch('/sell', asAda);
    expect([answer.status, await answer.text()]).toEqual([500, expect.not.stringContaining('table')]);
  });

  it('I6 · a 400 that is not about the user is not a rejection', async () => {
    await using at = await world();
    for (const message of ['Missing Email', 'Database connection lost', `No word of ${ada.secretKey}`]) {
      at.emulator.faults.next({ kind: 'status', status: 400, body: { message } });
      const answer = await at.served.fetch('/me', asAda);
      expect([answer.status, await answer.json()]).toEqual([
        502,
        expect.objectContaining({ errorCode: 'upstream_business_error' }),
      ]);
    }
    expect((await at.served.fetch('/me', asAda)).status).toBe(200);
  });

  it('I6 · the default message for a wrong password is a rejection', async () => {
    await using at = await world();
    expect((await at.served.fetch('/me', { headers: basic(ada.username, 'a wrong key') })).status).toBe(401);
  });

  it('I6 · a message that isRefusal matches is a rejection, for a gift-stream with other messages', async () => {
    await using at = await world({}, { isRefusal: (message) => message === 'Computer says no' });
    at.emulator.faults.next({ kind: 'status', status: 400, body: { message: 'Computer says no' } });
    expect((await at.served.fetch('/me', asAda)).status).toBe(401);
  });

  it('B12 · no text of a login response is quoted', async () => {
    await using at = await world();
    at.emulator.faults.next({
      kind: 'status',
      status: 400,
      body: { message: `Oops: ${shop.secretKey.toUpperCase()}` },
    });
    await expect(at.tokens.getToken()).rejects.toMatchObject({
      code: 'upstream_business_error',
      message: 'The upstream answered 400 to the login, but its message does not reject the credentials',
    });
  });

  it('B13 · a refresh token is not a credential, neither as bearer nor as secret', async () => {
    await using at = await world({ acceptRefreshAsBearer: true });
    const nested = claimsOf((await at.tokens.getToken()).value)?.['refresh-token'] as string;
    at.emulator.resetLedger();
    for (const token of [nested, unsignedJwt({ 'token-type': 'REFRESH', userName: ada.username })]) {
      const asBearer = await at.served.fetch('/me', { headers: bearer(token) });
      expect([asBearer.status, await asBearer.json()]).toEqual([
        401,
        expect.objectContaining({ errorCode: 'invalid_token' }),
      ]);
    }
    expect(at.paths()).toEqual([]);
    expect((await at.served.fetch('/me', { headers: basic(ada.username, nested) })).status).toBe(401);
  });

  it('I11 · a decoded claim proves nothing: an access token of gift-stream is not a credential either', async () => {
    await using at = await world();
    const { value } = await at.tokens.getToken();
    expect((await at.served.fetch('/me', { headers: bearer(value) })).status).toBe(401);
    expect(at.paths()).toEqual(['/authenticate']);
  });

  it.each([{ token: 'upstream' } as const, { keepUpstreamToken: true }])(
    'B13 · the boot rejects options that would hand out its tokens: session %j',
    async (session) => {
      await expect(world({}, {}, { session })).rejects.toMatchObject({ code: 'configuration' });
    },
  );
});

describe.each(platforms)('B13 · the tokens of gift-stream on %s', (platform) => {
  it('are in no log, event, status or response', async () => {
    const clock = new ManualClock();
    const minted: string[] = [];
    await using emulator = await startGiftStreamEmulator({ accounts: [shop, ada], clock, tokenLifeMs: LIFE_MS });
    const transform = (body: unknown): unknown => {
      const { accessToken } = body as { accessToken?: string };
      if (accessToken !== undefined) minted.push(accessToken, claimsOf(accessToken)?.['refresh-token'] as string);
      return body;
    };
    emulator.faults.always({ kind: 'transform', transform });

    const heard: string[] = [];
    const hear = (...words: unknown[]): void =>
      void heard.push(...words.map((word) => inspect(word, { depth: Infinity })));
    const logger: LoggerService = { log: hear, error: hear, warn: hear, debug: hear, verbose: hear, fatal: hear };
    await using served = await startApp(
      platform,
      {
        imports: [XPayAuthModule.forRoot({ dialect: 'gift-stream', baseUrl: emulator.url, credentials: shop, clock })],
        controllers: [GiftController],
      },
      (app) => app.useLogger(logger),
    );
    const tokens = served.app.get(XPayTokenService);
    tokens.events.subscribe(hear);

    await tokens.getToken();
    await clock.advance(LIFE_MS);
    await tokens.getToken();
    await clock.advance(2_000);
    emulator.revokeTokens();
    await served.app.get(XPayHttpService).request({ method: 'GET', path: '/sites' });
    for (const [path, init] of [
      ['/me', { headers: basic(ada.username, ada.secretKey) }],
      ['/me', { headers: basic(ada.username, 'a wrong key') }],
      ['/sell', { headers: basic(ada.username, ada.secretKey) }],
      ['/login', { method: 'POST' }],
      ['/health', {}],
    ] as const) {
      const answer = await served.fetch(path, init);
      hear(answer.status, [...answer.headers], await answer.text());
    }

    expect(minted.length).toBeGreaterThanOrEqual(8);
    expect(heard.length).toBeGreaterThan(20);
    // Half a token is a secret too: its payload contains the refresh token.
    const halves = minted.flatMap((token) => token.split('.').slice(1));
    expect(heard.filter((line) => halves.some((half) => line.includes(half)))).toEqual([]);
  });
});

it('invalid options stop the boot', () => {
  const wrong: GiftStreamDialectOptions[] = [
    { refusedStatuses: [] },
    { refusedStatuses: [429] },
    { refusedStatuses: [500] },
    { scopes: ['two words'] },
    { scopes: ['one'], scopesFor: () => [] },
  ];
  for (const options of wrong) {
    expect(() => giftStream(options)).toThrow(expect.objectContaining({ code: 'configuration' }));
  }
});
