import { describe, expect, it } from '@jest/globals';
import { Controller, Get } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import {
  Authenticated,
  CurrentUser,
  InjectXPay,
  type Principal,
  Public,
  Scopes,
  type Session,
  UseXPay,
  XPayAuthModule,
  XPayHttpService,
  XPaySessionService,
  XPayStrategy,
  XPayTokenService,
  getXPayInjectionToken,
  giftStream,
} from 'nestjs-xpay-auth';
import { redisStore } from 'nestjs-xpay-auth/redis';
import { startGiftStreamEmulator, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { newKey } from '../support/encryption-keys.js';
import { PATIENT } from '../support/redis-clients.js';
import { RedisServer } from '../support/redis-server.js';
import { basic, platforms, startApp } from '../support/start-app.js';

const ours = { username: 'us@example.test', secretKey: 'our key at xPay' };
const oursAtGift = { username: 'us@example.test', secretKey: 'our key at gift-stream' };
// One username with a different secret at each: neither secret may be valid at the other.
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

    // Credentials cached by one instance are not valid at the other.
    const crossed = [await served.fetch('/pay', asGiver), await served.fetch('/gift', asPayer)];
    expect(crossed.map(({ status }) => status)).toEqual([401, 401]);
    expect(crossed.map(({ headers }) => headers.get('www-authenticate'))).toEqual([
      expect.stringContaining('realm="xpay"'),
      expect.stringContaining('realm="gifts"'),
    ]);
  });

  it('I14 · each token service logs in with its own account to its own upstream', async () => {
    await using at = await start();
    const answer = await at.served.fetch('/both');
    expect([answer.status, await answer.json()]).toEqual([200, { wallets: true, sites: true }]);
    expect(at.xpay.ledger.map(({ path }) => path)).toEqual(['/client/authenticate', '/client/wallets/find']);
    expect(at.gift.ledger.map(({ path }) => path)).toEqual(['/authenticate', '/sites']);
  });

  it('I14 · an outage of one does not affect the other: callers, tokens and status', async () => {
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

it('I14 · on one Redis, each instance uses only its store prefix', async () => {
  await using redis = await RedisServer.start();
  await using xpay = await startXPayEmulator({ accounts: [{ ...ours, scopes: ['tme_user'] }, adaPay] });
  await using gift = await startGiftStreamEmulator({ accounts: [oursAtGift, adaGift] });
  const encryptionKeys = `k1:${newKey()}`;
  const store = (prefix: string) => redisStore({ client: redis.client, encryptionKeys, prefix, ...PATIENT });
  const options = { name: 'pay', baseUrl: xpay.url, credentials: ours, store: store('pay:') };
  const dialect = giftStream({ scopes: ['gifts:give'] });
  const giftOptions = { name: 'gift', dialect, baseUrl: gift.url, credentials: oursAtGift, store: store('gift:') };
  const module = await Test.createTestingModule({
    imports: [XPayAuthModule.forRoot(options), XPayAuthModule.forRoot(giftOptions)],
  }).compile();
  await module.init();
  const of = (name: string) => module.get<XPaySessionService>(getXPayInjectionToken(XPaySessionService, name));
  const who = async (name: string, { accessToken }: Session): Promise<string> => {
    const strategy = module.get<XPayStrategy>(getXPayInjectionToken(XPayStrategy, name));
    const authorization = `Bearer ${accessToken}`;
    const request = { headers: { authorization }, rawHeaders: ['Authorization', authorization], socket: {} };
    return Promise.resolve(strategy.validate(request)).then(
      ({ username }) => username,
      (failure: { code: string }) => failure.code,
    );
  };
  const [payer, giver] = [await of('pay').login(adaPay), await of('gift').login(adaGift)];

  const names = await redis.client.keys('*');
  expect(new Set(names.map((name) => name.split('{')[0]))).toEqual(new Set(['pay:', 'gift:']));
  expect([await who('pay', payer), await who('gift', giver)]).toEqual([adaPay.username, adaGift.username]);
  expect([await who('gift', payer), await who('pay', giver)]).toEqual(['invalid_token', 'invalid_token']);

  // Revoking a user at one instance does not affect the same username at the other.
  await of('pay').revokeUser(adaPay.username);
  expect([await who('pay', payer), await who('gift', giver)]).toEqual(['invalid_token', adaGift.username]);
  await module.close();
  expect(await redis.client.ping()).toBe('PONG');
});
