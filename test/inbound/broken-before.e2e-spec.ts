import { describe, expect, it } from '@jest/globals';
import { Controller, Get } from '@nestjs/common';
import { Authenticated, UseXPay, XPayAuthModule } from 'nestjs-xpay-auth';
import { ManualClock, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { ada, startInbound } from '../support/inbound-app.js';
import { basic, bearer, platforms, startApp } from '../support/start-app.js';

const account = (username: string, secretKey: string) => ({ username, secretKey, scopes: ['tme_user'] });

@Authenticated()
@Controller()
class PatientAndHastyController {
  @Get('patient')
  patient() {
    return 'caches for a minute';
  }

  @UseXPay('hasty')
  @Get('hasty')
  hasty() {
    return 'caches for a second';
  }
}

// The other B rows are in these specs: B3 and B4 in answers, B5 in scopes, B9 in audit, B10 and B13 in sessions, B12
// and B14 in `upstream-trouble`.
describe.each(platforms)('known defects of other libraries, on %s', (platform) => {
  it('B1 · a long username is not accepted with another secret, nor is another username with the same start', async () => {
    const long = 'n'.repeat(300);
    await using app = await startInbound(platform, { accounts: [account(long, 'right')] });
    expect(await app.status('/me', basic(long, 'right'))).toBe(200);
    for (const [name, secret] of [
      [long, 'wrong'],
      [long, ''],
      [`${long.slice(0, 299)}m`, 'right'],
      [long.slice(0, 72), 'right'],
      [`${long}n`, 'right'],
    ] as const) {
      expect(await app.status('/me', basic(name, secret))).toBe(401);
    }
  });

  it('B2 · different fields that are equal when concatenated are different credentials', async () => {
    await using app = await startInbound(platform, { accounts: [account('a', 'bc'), account('x', '1:y')] });
    expect([await app.status('/me', basic('a', 'bc')), await app.status('/me', basic('x', '1:y'))]).toEqual([200, 200]);
    for (const [name, secret] of [
      ['ab', 'c'],
      ['', 'abc'],
      ['abc', ''],
      ['x1', 'y'],
    ] as const) {
      expect(await app.status('/me', basic(name, secret))).toBe(401);
    }
    const { accessToken } = await app.sessions.login({ username: 'a', secretKey: 'bc' });
    await expect(app.sessions.login({ username: 'x:1', secretKey: 'y' })).rejects.toMatchObject({ status: 401 });
    expect(await app.status('/me', bearer(accessToken))).toBe(200);
  });

  it('B3 · concurrent callers with different keys do not share a result', async () => {
    await using app = await startInbound(platform, { accounts: [ada] });
    app.xpay.faults.next({ kind: 'delay', ms: 1_000 }, { times: 3 });
    const answers = Promise.all([
      app.status('/me', basic(ada.username, ada.secretKey)),
      app.status('/me', basic(ada.username, 'wrong')),
      app.status('/me', basic('eve@example.test', ada.secretKey)),
    ]);
    await app.xpay.waitForRequests(3);
    await app.clock.advance(1_000);
    expect(await answers).toEqual([200, 401, 401]);
  });

  it('B7 · each of two instances uses its own period', async () => {
    const clock = new ManualClock();
    await using xpay = await startXPayEmulator({ accounts: [ada], clock });
    const hasty = { name: 'hasty', verification: { periodMs: 1_000 } };
    await using app = await startApp(platform, {
      imports: [
        XPayAuthModule.forRoot({ baseUrl: xpay.url, clock }),
        XPayAuthModule.forRoot({ ...hasty, baseUrl: xpay.url, clock }),
      ],
      controllers: [PatientAndHastyController],
    });
    const headers = basic(ada.username, ada.secretKey);
    for (const path of ['/patient', '/hasty']) expect((await app.fetch(path, { headers })).status).toBe(200);
    xpay.removeAccount(ada.username);
    await clock.advance(1_000);
    expect((await app.fetch('/hasty', { headers })).status).toBe(401);
    expect((await app.fetch('/patient', { headers })).status).toBe(200);
  });

  it('B8 · a token is identified by all of it, not by its start', async () => {
    await using app = await startInbound(platform);
    const { accessToken } = await app.sessions.login(ada);
    expect(await app.status('/me', bearer(accessToken))).toBe(200);
    for (const known of [20, 32, 42]) {
      const other = accessToken.slice(0, known) + 'A'.repeat(43 - known);
      if (other !== accessToken) expect(await app.status('/me', bearer(other))).toBe(401);
    }
  });

  it('B11 · a secret that looks like a digest is treated like any other', async () => {
    const digest = 'A'.repeat(43) + '=';
    await using app = await startInbound(platform, { accounts: [account('a', digest), account('b', '0'.repeat(64))] });
    for (const [name, secret] of [
      ['a', digest],
      ['b', '0'.repeat(64)],
    ] as const) {
      expect(await app.status('/me', basic(name, secret))).toBe(200);
      expect(await app.status('/me', { authorization: `Basic ${secret}` })).toBe(400);
      expect(await app.status('/me', bearer(secret))).toBe(401);
    }
    expect(await app.status('/me', basic('b', digest))).toBe(401);
  });
});
