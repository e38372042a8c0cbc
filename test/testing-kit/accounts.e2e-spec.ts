import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ForbiddenException } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { XPayAuthModule, XPayHttpService, XPayTokenService } from 'nestjs-xpay-auth';
import { XPayAuthTestingModule, XPayTestUpstream } from 'nestjs-xpay-auth/testing';

const FIND = '/client/wallets/find';
const KNOWN = ['m-1', 'm 2\n'];

const credentials = async (id: string) => {
  if (id === 'suspended') throw new ForbiddenException();
  return KNOWN.includes(id) ? { username: `user of ${id.trim()}`, secretKey: 'a-real-key' } : undefined;
};

let module: TestingModule;
let upstream: XPayTestUpstream;
let xpay: XPayHttpService;

beforeEach(async () => {
  module = await Test.createTestingModule({
    imports: [XPayAuthModule.forRoot({ accounts: { credentials } }), XPayAuthTestingModule],
  }).compile();
  await module.init();
  upstream = module.get(XPayTestUpstream);
  xpay = module.get(XPayHttpService);
  upstream.answer(FIND, []);
});
afterEach(() => module.close());

describe('XPayAuthTestingModule with accounts', () => {
  it('M1 · records the account of each call', async () => {
    await xpay.post(FIND, { page: 1 });
    for (const id of KNOWN) await xpay.forAccount(id).post(FIND, { page: 2 });
    expect(upstream.calls).toEqual([
      { method: 'POST', path: FIND, body: { page: 1 } },
      { method: 'POST', path: FIND, body: { page: 2 }, account: 'm-1' },
      { method: 'POST', path: FIND, body: { page: 2 }, account: 'm 2\n' },
    ]);
  });

  it('M1 · issues another token for each account', async () => {
    const tokens = module.get(XPayTokenService);
    const account = tokens.forAccount('m-1');
    const values = [await tokens.getToken(), await account.getToken(), await account.refresh()];
    expect(values.map(({ value }) => value)).toEqual([
      'test-access-token',
      'test-access-token-of-account-m-1',
      'test-access-token-of-account-m-1-2',
    ]);
  });

  it('M2 · calls the function of the app, so that unknown ids and its exceptions are as in production', async () => {
    await expect(xpay.forAccount('nobody').post(FIND, {})).rejects.toMatchObject({ code: 'unknown_account' });
    await expect(xpay.forAccount('suspended').post(FIND, {})).rejects.toThrow(ForbiddenException);
    expect(upstream.calls).toEqual([]);
  });

  it('M2 · refuse() rejects an account, and recover() ends that', async () => {
    upstream.refuse('m-1');
    await expect(xpay.forAccount('m-1').post(FIND, {})).rejects.toMatchObject({ code: 'credentials_rejected' });
    await xpay.forAccount('m 2\n').post(FIND, {});
    upstream.recover();
    await xpay.forAccount('m-1').post(FIND, {});
    expect(upstream.calls.map(({ account }) => account)).toEqual(['m 2\n', 'm-1']);
  });
});
