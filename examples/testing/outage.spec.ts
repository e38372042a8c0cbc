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
    clock = new ManualClock(); // the app and the emulator share this clock, which moves only by advance()
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

  it('succeed while logins fail, until the token expires', async () => {
    await wallets();
    xpay.faults.always({ kind: 'html502' }, { path: '/client/authenticate' });
    await clock.advance(50 * MINUTE); // due for refresh, valid for another ten minutes
    await expect(wallets()).resolves.toHaveLength(3);
    await clock.advance(10 * MINUTE);
    await expect(wallets()).rejects.toMatchObject({ code: 'upstream_unavailable' });

    xpay.faults.clear();
    await clock.advance(1_000); // without a token, attempts are at most 1 s apart
    await expect(wallets()).resolves.toHaveLength(3);
  });

  it('are repeated once with a new token after a rejected token', async () => {
    await wallets();
    xpay.revokeTokens(account.username);
    await expect(wallets()).resolves.toHaveLength(3);
    expect(xpay.requests('/client/authenticate')).toBe(2);
  });

  it('fail without a retry when xPay disconnects, because they may have had an effect', async () => {
    await wallets();
    xpay.faults.next({ kind: 'reset', processed: true }, { path: '/client/wallets/find' });
    await expect(wallets()).rejects.toMatchObject({ code: 'upstream_unavailable' });
    expect(xpay.requests('/client/wallets/find')).toBe(2);
  });
});
