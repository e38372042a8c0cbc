// outage.spec.ts
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Test, type TestingModule } from '@nestjs/testing';
import { XPayAuthModule, XPayHttpService } from 'nestjs-xpay-auth';
import { ManualClock, type XPayEmulator, startXPayEmulator } from 'nestjs-xpay-auth/testing';

const MINUTE = 60_000;

describe('calls to xPay', () => {
  const account = { username: 'this-app@example.test', secretKey: 'key-of-this-app' };
  let clock: ManualClock;
  let xpay: XPayEmulator;
  let module: TestingModule;

  beforeEach(async () => {
    clock = new ManualClock(); // the app and xPay live in one time, which stands still
    xpay = await startXPayEmulator({ accounts: [account], clock, tokenLifeMs: 60 * MINUTE });
    module = await Test.createTestingModule({
      imports: [XPayAuthModule.forRoot({ baseUrl: xpay.url, credentials: account, clock })],
    }).compile();
    module.useLogger(false);
    await module.init();
  });
  afterEach(async () => {
    await module.close();
    await xpay.stop();
  });

  const wallets = () => module.get(XPayHttpService).post('/client/wallets/find');

  it('go on while logins fail, as long as the token lives', async () => {
    await wallets();
    xpay.faults.always({ kind: 'html502' }, { path: '/client/authenticate' });
    await clock.advance(50 * MINUTE); // due for renewal, and good for ten minutes more
    await expect(wallets()).resolves.toHaveLength(3);
    await clock.advance(10 * MINUTE);
    await expect(wallets()).rejects.toMatchObject({ code: 'upstream_unavailable' });

    xpay.faults.clear();
    await clock.advance(1_000); // attempts without a token are at most a second apart
    await expect(wallets()).resolves.toHaveLength(3);
  });

  it('are repeated once with a new token when theirs was rejected', async () => {
    await wallets();
    xpay.revokeTokens(account.username);
    await expect(wallets()).resolves.toHaveLength(3);
    expect(xpay.requests('/client/authenticate')).toBe(2);
  });

  it('fail when xPay hangs up, and are not repeated: who knows what they did', async () => {
    await wallets();
    xpay.faults.next({ kind: 'reset', processed: true }, { path: '/client/wallets/find' });
    await expect(wallets()).rejects.toMatchObject({ code: 'upstream_unavailable' });
    expect(xpay.requests('/client/wallets/find')).toBe(2);
  });
});
