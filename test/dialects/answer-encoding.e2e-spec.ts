import { describe, expect, it } from '@jest/globals';
import { Controller, Get } from '@nestjs/common';
import {
  Authenticated,
  CurrentUser,
  type Dialect,
  type Principal,
  XPayAuthModule,
  XPayHttpService,
  giftStream,
  passwordLogin,
  xPay,
} from 'nestjs-xpay-auth';
import {
  type Fault,
  startGiftStreamEmulator,
  startPasswordLoginEmulator,
  startXPayEmulator,
} from 'nestjs-xpay-auth/testing';
import { basic, startApp } from '../support/start-app.js';

const secretKey = 'one key for every account';
/** They log in with ASCII names. The names that the upstream returns are not ASCII. */
const joerg = { username: 'joerg', secretKey, displayName: 'Jörg' };
const jaerg = { username: 'jaerg', secretKey, displayName: 'Järg' };
const accounts = [joerg, jaerg];

@Controller()
class MeController {
  @Authenticated()
  @Get('me')
  me(@CurrentUser() { username }: Principal) {
    return { username };
  }
}

async function running(dialect: Dialect, baseUrl: string) {
  const credentials = { username: joerg.username, secretKey };
  const served = await startApp('fastify', {
    imports: [XPayAuthModule.forRoot({ dialect, baseUrl, credentials })],
    controllers: [MeController],
  });
  return {
    http: served.app.get(XPayHttpService),
    /** Status and body of a request by this caller. */
    me: async ({ username }: { username: string }) => {
      const answer = await served.fetch('/me', { headers: basic(username, secretKey) });
      const { username: name, errorCode } = (await answer.json()) as { username?: string; errorCode?: string };
      return [answer.status, name ?? errorCode];
    },
    [Symbol.asyncDispose]: () => served.stop(),
  };
}

const latin1 = (charset?: string): Fault => ({
  kind: 'encoding',
  encoding: 'latin1',
  ...(charset !== undefined && { charset }),
});

describe('D12 · a response in another encoding', () => {
  it.each<[string, Fault]>([
    ['Latin-1 without a charset', latin1()],
    ['Latin-1 that is declared as UTF-8', latin1('utf-8')],
    ['Latin-1 with an unknown charset', latin1('klingon-1')],
    ['Latin-1 with an empty charset', latin1('""')],
    ['UTF-16 without a charset', { kind: 'encoding', encoding: 'utf16le' }],
  ])('is upstream_malformed, and merges no two users: %s', async (_what, fault) => {
    await using xpay = await startXPayEmulator({ accounts });
    await using app = await running(xPay(), xpay.url);
    xpay.faults.always(fault);
    expect([await app.me(joerg), await app.me(jaerg)]).toEqual([
      [502, 'upstream_malformed'],
      [502, 'upstream_malformed'],
    ]);
  });

  it.each<[string, Fault]>([
    ['iso-8859-1', latin1('iso-8859-1')],
    ['Windows-1252, quoted', latin1('"Windows-1252"')],
    ['utf-16le', { kind: 'encoding', encoding: 'utf16le', charset: 'utf-16le' }],
    ['UTF-16, in upper case', { kind: 'encoding', encoding: 'utf16le', charset: 'UTF-16' }],
  ])('is decoded with the declared charset: %s', async (_what, fault) => {
    await using xpay = await startXPayEmulator({ accounts });
    await using app = await running(xPay(), xpay.url);
    xpay.faults.always(fault);
    expect([await app.me(joerg), await app.me(jaerg)]).toEqual([
      [200, 'Jörg'],
      [200, 'Järg'],
    ]);
  });

  it('may begin with a byte order mark', async () => {
    await using xpay = await startXPayEmulator({ accounts });
    await using app = await running(xPay(), xpay.url);
    for (const charset of ['', '; charset=utf-8']) {
      const headers = { 'content-type': `application/json${charset}` };
      xpay.faults.next({ kind: 'status', status: 200, headers, body: `\ufeff${granted('Jörg')}` });
      expect(await app.me(joerg)).toEqual([200, 'Jörg']);
    }
  });

  it.each<[string, number, number, string]>([
    ['a 503', 503, 503, 'upstream_unavailable'],
    ['a 500', 500, 503, 'upstream_unavailable'],
    ['a 429', 429, 503, 'upstream_rate_limited'],
    ['a 404', 404, 502, 'upstream_malformed'],
  ])('is classified by its status if it is an error: %s', async (_what, status, answered, errorCode) => {
    await using xpay = await startXPayEmulator({ accounts });
    await using app = await running(xPay(), xpay.url);
    xpay.faults.always({ kind: 'status', status, body: '{"error":{"message":"überlastet"}}' });
    xpay.faults.always(latin1());
    expect(await app.me(joerg)).toEqual([answered, errorCode]);
  });

  it('rejects a token or credentials with a status of 401', async () => {
    await using xpay = await startXPayEmulator({ accounts });
    await using payApp = await running(xPay(), xpay.url);
    await payApp.http.post('/client/wallets/find', {});
    xpay.faults.next({ kind: 'status', status: 401, body: 'ungültig' });
    xpay.faults.always(latin1(), { path: '/client/wallets/find' });
    await expect(payApp.http.post('/client/wallets/find', {})).resolves.toHaveLength(3);
    expect(xpay.requests('/client/authenticate')).toBe(2);

    await using login = await startPasswordLoginEmulator({ accounts });
    await using loginApp = await running(passwordLogin(), login.url);
    login.faults.always({ kind: 'status', status: 401, body: '{"detail":"ungültig"}' });
    login.faults.always(latin1());
    expect(await loginApp.me(joerg)).toEqual([401, 'invalid_credentials']);
  });

  it('is upstream_malformed in every dialect, for logins and API calls', async () => {
    await using pay = await startXPayEmulator({ accounts });
    await using gift = await startGiftStreamEmulator({ accounts });
    await using login = await startPasswordLoginEmulator({ accounts });
    const all = [
      { emulator: pay, dialect: xPay(), call: { method: 'POST', path: '/client/wallets/find' } },
      { emulator: gift, dialect: giftStream(), call: { method: 'GET', path: '/sites' } },
      { emulator: login, dialect: passwordLogin(), call: { method: 'GET', path: '/users/me' } },
    ] as const;
    for (const { emulator, dialect, call } of all) {
      await using app = await running(dialect, emulator.url);
      await app.http.request(call);
      emulator.faults.always({ kind: 'transform', transform: (body) => ({ ...(body as object), note: 'für alle' }) });
      await expect(app.http.request(call)).resolves.toBeDefined();
      emulator.faults.always(latin1());
      await expect(app.http.request(call)).rejects.toMatchObject({ code: 'upstream_malformed' });
      expect(await app.me(jaerg)).toEqual([502, 'upstream_malformed']);
    }
  });
});

describe('D12 · claims of a token in another encoding', () => {
  it('are not used as names: callers keep the names that they sent', async () => {
    await using gift = await startGiftStreamEmulator({ accounts });
    await using app = await running(giftStream(), gift.url);
    for (const user of accounts) {
      gift.faults.next({ kind: 'transform', transform: () => ({ accessToken: tokenInLatin1(user.displayName) }) });
    }
    expect([await app.me(joerg), await app.me(jaerg)]).toEqual([
      [200, 'joerg'],
      [200, 'jaerg'],
    ]);
  });
});

function granted(username: string): string {
  const data = { user: { username, scopes: [] }, access_token: 'a-token', expiresAt: Date.now() + 3_600_000 };
  return JSON.stringify({ success: { data } });
}

/** RFC 7519 §7.1 requires UTF-8. */
function tokenInLatin1(userName: string): string {
  return `e30.${Buffer.from(JSON.stringify({ userName }), 'latin1').toString('base64url')}.c2ln`;
}
