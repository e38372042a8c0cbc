import { describe, expect, it } from '@jest/globals';
import { Controller, Get } from '@nestjs/common';
import {
  Authenticated,
  CurrentUser,
  InjectXPay,
  type Principal,
  Public,
  Scopes,
  UseXPay,
  XPayAuthModule,
  XPayHttpService,
  XPayTokenService,
  giftStream,
} from 'nestjs-xpay-auth';
import { startGiftStreamEmulator, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { basic, platforms, startApp } from '../support/start-app.js';

const ours = { username: 'us@example.test', secretKey: 'our key at xPay' };
const oursAtGift = { username: 'us@example.test', secretKey: 'our key at gift-stream' };
// One name at both, two secrets: neither may open the other door.
const adaPay = { username: 'ada@example.test', secretKey: 'ada pays', scopes: ['tme_user'] };
const adaGift = { username: 'ada@example.test', secretKey: 'ada gives' };

@Controller()
class BothController {
  constructor(
    @InjectXPay(XPayTokenService, 'pay') private readonly payTokens: XPayTokenService,
    @InjectXPay(XPayTokenService, 'gift') private readonly giftTokens: XPayTokenService,
    @InjectXPay(XPayHttpService, 'pay') private readonly pay: XPayHttpService,
    @InjectXPay(XPayHttpService, 'gift') private readonly gift: XPayHttpService,
  ) {}

  @UseXPay('pay')
  @Scopes('tme_user')
  @Get('pay')
  payer(@CurrentUser() { instance, scopes }: Principal) {
    return { instance, scopes };
  }

  @UseXPay('gift')
  @Authenticated()
  @Get('gift')
  giver(@CurrentUser() { instance, scopes }: Principal) {
    return { instance, scopes };
  }

  @Public()
  @Get('both')
  async both() {
    const wallets = await this.pay.post('/client/wallets/find', { page: 1, pageSize: 1 });
    const { data: sites } = await this.gift.request({ method: 'GET', path: '/sites' });
    return { wallets: Array.isArray(wallets), sites: Array.isArray(sites) };
  }

  @Public()
  @Get('status')
  status() {
    return { pay: this.payTokens.status().state, gift: this.giftTokens.status().state };
  }
}

describe.each(platforms)('xPay and gift-stream side by side on %s', (platform) => {
  async function start() {
    const xpay = await startXPayEmulator({ accounts: [{ ...ours, scopes: ['tme_user'] }, adaPay] });
    const gift = await startGiftStreamEmulator({ accounts: [oursAtGift, adaGift] });
    const served = await startApp(platform, {
      imports: [
        XPayAuthModule.forRoot({ name: 'pay', dialect: 'xpay', baseUrl: xpay.url, credentials: ours }),
        XPayAuthModule.forRoot({
          name: 'gift',
          dialect: giftStream({ scopes: ['gifts:give'] }),
          baseUrl: gift.url,
          credentials: oursAtGift,
          verification: { realm: 'gifts' },
        }),
      ],
      controllers: [BothController],
    });
    const stop = async (): Promise<void> => {
      await served.stop();
      await xpay.stop();
      await gift.stop();
    };
    return { xpay, gift, served, [Symbol.asyncDispose]: stop };
  }

  it('I14 · each route is guarded by its own upstream, with its own scopes and realm', async () => {
    await using at = await start();
    const { served } = at;
    const asPayer = { headers: basic(adaPay.username, adaPay.secretKey) };
    const asGiver = { headers: basic(adaGift.username, adaGift.secretKey) };

    const payer = await served.fetch('/pay', asPayer);
    expect([payer.status, await payer.json()]).toEqual([200, { instance: 'pay', scopes: ['tme_user'] }]);
    const giver = await served.fetch('/gift', asGiver);
    expect([giver.status, await giver.json()]).toEqual([200, { instance: 'gift', scopes: ['gifts:give'] }]);

    // What one of them remembers opens nothing at the other.
    const crossed = [await served.fetch('/pay', asGiver), await served.fetch('/gift', asPayer)];
    expect(crossed.map(({ status }) => status)).toEqual([401, 401]);
    expect(crossed.map(({ headers }) => headers.get('www-authenticate'))).toEqual([
      expect.stringContaining('realm="xpay"'),
      expect.stringContaining('realm="gifts"'),
    ]);
  });

  it('I14 · each token service logs in with its own account at its own upstream', async () => {
    await using at = await start();
    const answer = await at.served.fetch('/both');
    expect([answer.status, await answer.json()]).toEqual([200, { wallets: true, sites: true }]);
    expect(at.xpay.ledger.map(({ path }) => path)).toEqual(['/client/authenticate', '/client/wallets/find']);
    expect(at.gift.ledger.map(({ path }) => path)).toEqual(['/authenticate', '/sites']);
  });

  it('I14 · one that is down leaves the other alone: callers, tokens and status', async () => {
    await using at = await start();
    await at.gift.pause();
    expect((await at.served.fetch('/both')).status).toBe(503);
    expect(await (await at.served.fetch('/status')).json()).toEqual({ pay: 'fresh', gift: 'none' });
    const asPayer = { headers: basic(adaPay.username, adaPay.secretKey) };
    const asGiver = { headers: basic(adaGift.username, adaGift.secretKey) };
    expect((await at.served.fetch('/pay', asPayer)).status).toBe(200);
    expect((await at.served.fetch('/gift', asGiver)).status).toBe(503);
    await at.gift.resume();
    expect((await at.served.fetch('/gift', asGiver)).status).toBe(200);
  });
});
