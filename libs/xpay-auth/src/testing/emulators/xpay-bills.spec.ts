import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { jsonAt } from '../../../../../test/support/json-at.js';
import { ManualClock } from './manual-clock.js';
import { type XPayEmulator, startXPayEmulator } from './xpay.emulator.js';

const ADA = { username: 'ada@example.test', secretKey: 'ada-key-1' };
const BOB = { username: 'bob@example.test', secretKey: 'bob-key-1' };
const NOW = Date.UTC(2026, 0, 1);
const UUID = /^[0-9a-f]{8}-/;

describe('the bills of startXPayEmulator', () => {
  let clock: ManualClock;
  let xpay: XPayEmulator;
  beforeEach(async () => {
    clock = new ManualClock(NOW);
    xpay = await startXPayEmulator({ accounts: [ADA, BOB], clock });
  });
  afterEach(() => xpay.stop());

  /** Calls a path below `/client` as an account. */
  async function as({ username }: { username: string }, path: string, body: object = {}): Promise<unknown> {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${xpay.mintToken(username).token}` };
    const answer = await fetch(`${xpay.url}/client${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
    return answer.json();
  }
  const save = (reference: string, more: object = {}): Promise<unknown> =>
    as(ADA, '/bills/save', { reference, amount: '2500000', ...more });
  const view = async (reference: string): Promise<unknown> =>
    jsonAt(await as(ADA, '/bills/view', { reference }), 'success', 'data');
  const found = async (path: string, body: object, field: string): Promise<unknown[]> => {
    const items = jsonAt(await as(ADA, path, body), 'success', 'data');
    return Array.isArray(items) ? items.map((item) => jsonAt(item, field)) : [];
  };

  it('have the documented fields, with numbers for amounts and times that were sent as text', async () => {
    const created = await save('b-1', { tag: 't', expireInMinutes: '30', email: 'e@example.test' });
    const fields = {
      uuid: expect.stringMatching(UUID),
      username: ADA.username,
      wallet: expect.stringMatching(UUID),
      createdAt: NOW,
      billRef: 'b-1',
      billAmount: 2_500_000,
      paidAmount: 0,
      testnet: false,
      tag: 't',
      starting: NOW - 60_000,
      until: NOW + 1_800_000,
      closed: false,
      canceled: false,
      cooldown: 0,
      txs: [],
      email: 'e@example.test',
    };
    expect(jsonAt(created, 'success')).toEqual({
      message: 'bill created',
      data: { ...fields, address: expect.stringMatching(/^T\w{33}$/), hex: expect.stringMatching(/^41[0-9A-F]{40}$/) },
    });
    const { base58, hex } = Object(jsonAt(await view('b-1'), 'address'));
    expect([base58, hex]).toEqual([
      jsonAt(created, 'success', 'data', 'address'),
      jsonAt(created, 'success', 'data', 'hex'),
    ]);
    expect(await view('b-1')).toEqual({ ...fields, address: { base58, hex } });
    expect(jsonAt(await as(ADA, '/bills/find'), 'success', 'data')).toEqual([{ ...fields, address: base58 }]);
    expect(await found('/wallets/find', {}, 'uuid')).toContain(jsonAt(await view('b-1'), 'wallet'));
  });

  it('have a Lightning invoice with a time in seconds, and then no TRON address', async () => {
    const bill = jsonAt(await save('b-1', { useLightning: true }), 'success', 'data');
    expect(bill).toMatchObject({ address: '', hex: '', lnInvoice: { createdAt: NOW / 1_000, dollars: 2.5 } });
    expect(bill).toHaveProperty('lnInvoice.paymentSecret', expect.any(String));
    expect(await view('b-1')).not.toHaveProperty('lnInvoice.paymentSecret');
  });

  it('have references that cannot be used again, also after a cancellation', async () => {
    await save('b-1');
    expect(await save('b-1', { amount: 5 })).toHaveProperty('error.message', 'reference exists');
    await as(ADA, '/bills/cancel', { reference: 'b-1' });
    expect(await save('b-1')).toHaveProperty('error.message', 'reference exists');
    expect(await view('b-1')).toHaveProperty('billAmount', 2_500_000);
  });

  it('have references of one account, or of all accounts if configured', async () => {
    await save('b-1');
    expect(await as(BOB, '/bills/save', { reference: 'b-1', amount: 5 })).toHaveProperty('success.data.billAmount', 5);
    xpay.sharedBillReferences = true;
    await save('b-2');
    expect(await as(BOB, '/bills/save', { reference: 'b-2', amount: 5 })).toHaveProperty('error.message');
  });

  it('are visible to their account alone', async () => {
    await save('b-1');
    expect(await as(BOB, '/bills/view', { reference: 'b-1' })).toHaveProperty('error.message', 'bill not found');
    expect(await as(BOB, '/bills/cancel', { reference: 'b-1' })).toHaveProperty('error.message', 'bill not found');
    expect(await as(BOB, '/bills/find')).toHaveProperty('success.data', []);
    expect(await view('b-1')).toHaveProperty('canceled', false);
  });

  it('are kept when they are canceled', async () => {
    await save('b-1');
    const canceled = await as(ADA, '/bills/cancel', { reference: 'b-1' });
    expect(jsonAt(canceled, 'success')).toEqual({ message: 'Bill Canceled', data: null });
    expect(await view('b-1')).toMatchObject({ canceled: true, closed: true, paidAmount: 0 });
    expect(jsonAt(await as(ADA, '/bills/find'), 'success', 'data')).toMatchObject([{ billRef: 'b-1', canceled: true }]);
  });

  it('cannot be canceled when they are not active, unless configured', async () => {
    await save('b-1');
    xpay.payBill(ADA.username, 'b-1');
    const errors = { 'b-1': 'bill not active', 'b-2': 'bill not found' };
    for (const [reference, message] of Object.entries(errors)) {
      expect(await as(ADA, '/bills/cancel', { reference })).toHaveProperty('error.message', message);
    }
    xpay.cancelsInactiveBills = true;
    for (const reference of Object.keys(errors)) {
      expect(await as(ADA, '/bills/cancel', { reference })).toHaveProperty('success.data', null);
    }
    expect(await view('b-1')).toMatchObject({ canceled: false, closed: true });
  });

  it('collect payments, and close when they are paid in full', async () => {
    await save('b-1');
    await clock.advance(5_000);
    xpay.payBill(ADA.username, 'b-1', 500_000);
    expect(await view('b-1')).toMatchObject({ paidAmount: 500_000, closed: false, txs: [{ amount: 500_000 }] });
    xpay.payBill(ADA.username, 'b-1');
    const tx = { txRef: expect.any(String), txID: expect.any(String), amount: 2_000_000, timestamp: NOW + 5_000 };
    expect(await view('b-1')).toMatchObject({ paidAmount: 2_500_000, closed: true, txs: [{}, tx] });
    expect(() => xpay.payBill(BOB.username, 'b-1')).toThrow('no bill b-1 of bob@example.test');
  });

  it('stay open after their time, or are closed then if configured', async () => {
    await save('b-1', { expireInMinutes: 1 });
    await clock.advance(60_000);
    expect(await view('b-1')).toHaveProperty('closed', false);
    xpay.closesExpiredBills = true;
    expect(await view('b-1')).toMatchObject({ closed: true, canceled: false });
    expect(await as(ADA, '/bills/cancel', { reference: 'b-1' })).toHaveProperty('error.message', 'bill not active');
  });

  it.each([
    ['no reference', { reference: undefined }, 'missing fields'],
    ['no amount', { amount: undefined }, 'missing fields'],
    ['an amount below 0', { amount: -5 }, 'invalid fields'],
    ['an amount with decimals', { amount: '2.50' }, 'invalid fields'],
    ['an amount that is no number', { amount: 'ten' }, 'invalid fields'],
    ['a time that is no number', { expireInMinutes: 'soon' }, 'invalid fields'],
  ])('are rejected with %s', async (_, fields, message) => {
    expect(await save('b-1', fields)).toHaveProperty('error.message', message);
    expect(await as(ADA, '/bills/find')).toHaveProperty('success.data', []);
  });

  it('are listed with the newest first, or as sorted, and searched by wallet and tag', async () => {
    for (const reference of ['b-1', 'b-2', 'b-3']) await save(reference, { tag: `tag of ${reference}` });
    expect(await found('/bills/find', {}, 'billRef')).toEqual(['b-3', 'b-2', 'b-1']);
    expect(await found('/bills/find', { sort: { createdAt: 1 } }, 'billRef')).toEqual(['b-1', 'b-2', 'b-3']);
    expect(await found('/bills/find', { tag: 'b-2' }, 'billRef')).toEqual(['b-2']);
    expect(await found('/bills/find', { wallet: jsonAt(await view('b-3'), 'uuid') }, 'billRef')).toEqual(['b-3']);
  });

  it('and wallets have a list in pages: 10 items in each, and nextPage where the settings place it', async () => {
    for (let at = 1; at <= 12; at++) await save(`b-${at}`);
    const second = { page: 2 };
    expect(jsonAt(await as(ADA, '/bills/find'), 'success')).toMatchObject({ data: { length: 10 }, nextPage: true });
    expect(jsonAt(await as(ADA, '/bills/find', second), 'success')).toEqual({
      message: 'Done',
      data: [expect.objectContaining({ billRef: 'b-2' }), expect.objectContaining({ billRef: 'b-1' })],
      nextPage: false,
    });
    xpay.pageTotals = true;
    expect(jsonAt(await as(ADA, '/bills/find', second), 'success')).toMatchObject({ page: 2, total: 12, count: 2 });
    xpay.nextPagePlacement = 'data';
    expect(jsonAt(await as(ADA, '/bills/find', second), 'success')).toEqual({
      message: 'Done',
      data: { items: [expect.anything(), expect.anything()], nextPage: false, page: 2, total: 12, count: 2 },
    });
    Object.assign(xpay, { nextPagePlacement: 'none', pageTotals: false });
    expect(Object.keys(Object(jsonAt(await as(ADA, '/wallets/find'), 'success')))).toEqual(['message', 'data']);
  });

  it('and wallets have numbers where numbers are documented', async () => {
    const [wallet] = [jsonAt(await as(ADA, '/wallets/find'), 'success', 'data')].flat();
    expect(wallet).toMatchObject({
      createdAt: NOW,
      balances: { tokenBalanceRaw: 0, tokenBalance: 0, tronBalanceSun: 0, tronBalance: 0 },
    });
    const transfer = { wallet: jsonAt(wallet, 'uuid'), destination: 'T-1', amount: '20000000' };
    expect(jsonAt(await as(ADA, '/wallets/send/tron/preview', transfer), 'success', 'data')).toMatchObject({
      source: jsonAt(wallet, 'address', 'base58'),
      destination: 'T-1',
      amount: 20_000_000,
      isOTP: false,
    });
  });
});
