import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { jsonAt } from '../../../../../test/support/json-at.js';
import { ManualClock } from './manual-clock.js';
import { startXPayEmulator } from './xpay.emulator.js';
import type { XPayEmulator } from './xpay.emulator.js';
import { xpayMalformed } from './xpay-malformed.js';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const ADA = { username: 'ada@example.test', secretKey: 'ada-key-1' };

const read = async (response: Promise<Response>): Promise<unknown> => (await response).json();

describe('startXPayEmulator', () => {
  let xpay: XPayEmulator;
  beforeEach(async () => {
    xpay = await startXPayEmulator({ accounts: [ADA] });
  });
  afterEach(() => xpay.stop());

  const post = (path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`${xpay.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
      redirect: 'manual',
    });
  const login = (body: object = {}): Promise<unknown> => read(post('/client/authenticate', { ...ADA, ...body }));
  const token = async (): Promise<string> => String(jsonAt(await login(), 'success', 'data', 'access_token'));
  const find = (bearer: string, body: object = {}): Promise<Response> =>
    post('/client/wallets/find', body, { authorization: `Bearer ${bearer}` });

  it('returns a token, its expiry in ms, the scopes and a ticket for the right key', async () => {
    const before = Date.now();
    const reply = await login({ isAPI: true });
    expect(reply).toEqual({
      success: {
        message: 'Authenticated',
        data: {
          success: true,
          expiresAt: expect.any(Number),
          user: { username: ADA.username, scopes: ['tme_user'], isAPI: true },
          ticket: expect.stringMatching(/^[0-9a-f]{32}$/),
          access_token: expect.any(String),
        },
      },
      uuid: expect.stringMatching(UUID),
    });
    const { expiresAt, access_token: bearer } = Object(jsonAt(reply, 'success', 'data'));
    expect(expiresAt).toBeGreaterThanOrEqual(before + 1000 * 86_400_000);
    expect(Buffer.from(String(bearer).split('.', 1)[0] ?? '', 'base64url').toString()).toMatch(/^\{"alg":"HS256"/);
  });

  it('answers 200 with an error to a wrong key and to an unknown name, with a fresh tag each time', async () => {
    const response = await post('/client/authenticate', { ...ADA, secretKey: 'wrong' });
    expect(response.status).toBe(200);
    const first: unknown = await response.json();
    expect(first).toEqual({
      error: { message: 'invalid credentials', data: { invalid: true }, tag: expect.stringMatching(UUID) },
      uuid: expect.stringMatching(UUID),
    });
    const second = await login({ username: 'nobody@example.test' });
    expect(second).toHaveProperty('error.message', 'invalid credentials');
    expect(jsonAt(second, 'error', 'tag')).not.toBe(jsonAt(first, 'error', 'tag'));
  });

  it.each([
    [true, true, 1000],
    ['true', true, 1000],
    [false, false, 365],
    [undefined, false, 365],
  ])('takes isAPI %p, replies with the boolean %p and a lifetime of %p days', async (isAPI, shown, days) => {
    const before = Date.now();
    const data = jsonAt(await login({ isAPI }), 'success', 'data');
    expect(data).toHaveProperty('user.isAPI', shown);
    expect(Math.round((Number(jsonAt(data, 'expiresAt')) - before) / 86_400_000)).toBe(days);
  });

  it('echoes the uuid header, on top or inside success, and on top of every error', async () => {
    const uuid = '6f2c1f1e-9a5d-4c7e-8a11-0d6b5c9e7f10';
    expect(await read(post('/client/authenticate', ADA, { uuid }))).toHaveProperty('uuid', uuid);
    xpay.uuidPlacement = 'inside';
    const inside = await read(post('/client/authenticate', ADA, { uuid }));
    expect([jsonAt(inside, 'uuid'), jsonAt(inside, 'success', 'uuid')]).toEqual([undefined, uuid]);
    const refused = await read(post('/client/authenticate', { ...ADA, secretKey: 'no' }, { uuid }));
    expect(refused).toHaveProperty('uuid', uuid);
    expect(xpay.ledger.at(-1)?.uuid).toBe(uuid);
  });

  it.each([[['tme_user']], [['tme_admin']], [['tme_user', 'tme_admin']], [[]], [['brand_new']]])(
    'shows the scopes %j as they are',
    async (scopes) => {
      xpay.addAccount({ username: 'grace', secretKey: 'grace-key', scopes, displayName: 'Grace H.' });
      const reply = await login({ username: 'grace', secretKey: 'grace-key' });
      expect(jsonAt(reply, 'success', 'data', 'user')).toMatchObject({ username: 'Grace H.', scopes });
    },
  );

  it('writes null for a field without a value if configured', async () => {
    xpay.nullFields = true;
    xpay.addAccount({ username: 'grace', secretKey: 'grace-key', scopes: [] });
    const granted = await login({ username: 'grace', secretKey: 'grace-key' });
    expect(granted).toMatchObject({ error: null, success: { data: { user: { scopes: null } } } });
    expect(await login({ secretKey: 'no' })).toMatchObject({ success: null, error: { data: { invalid: true } } });
  });

  it('serves API calls with a valid token, in pages', async () => {
    const bearer = await token();
    const first = await read(find(bearer, { page: 1, pageSize: 2 }));
    expect(first).toMatchObject({ success: { message: 'Done', data: [{ tag: 'wallet-1' }, {}], nextPage: true } });
    const second = await read(find(bearer, { page: 2, pageSize: 2 }));
    expect(second).toMatchObject({ success: { data: [{ tag: 'wallet-3' }], nextPage: false } });
    const headers = { authorization: `Bearer ${bearer}` };
    await read(post('/client/bills/save', { amount: 1_000_000, reference: 'bill-1' }, headers));
    const canceled = await read(post('/client/bills/cancel', { reference: 'bill-1' }, headers));
    expect(canceled).toHaveProperty('success.data', null);
  });

  it.each([
    ['200-error', 200, 'application/json; charset=utf-8'],
    ['401-json', 401, 'application/json; charset=utf-8'],
    ['401-empty', 401, null],
  ] as const)(
    'meets a missing, unknown, revoked or expired bearer in the mode %s',
    async (mode, status, contentType) => {
      const clock = new ManualClock();
      await xpay.stop();
      xpay = await startXPayEmulator({ accounts: [ADA], clock, tokenLifeMs: 5_000, badBearerAnswer: mode });
      const revoked = await token();
      expect(xpay.revokeTokens(ADA.username)).toBe(1);
      const expired = await token();
      expect((await find(expired)).status).toBe(200);
      await clock.advance(5_000);
      expect(xpay.isLive(expired)).toBe(false);
      for (const bearer of ['', 'made-up', revoked, expired]) {
        const response = await find(bearer);
        expect([response.status, response.headers.get('content-type')]).toEqual([status, contentType]);
        if (contentType !== null) expect(await response.json()).toHaveProperty('error.message', 'invalid token');
        expect(xpay.ledger.at(-1)?.outcome).toBe('bad_bearer');
      }
    },
  );

  it('accepts only POST, returns JSON for an unknown path, and rejects malformed JSON', async () => {
    expect((await fetch(`${xpay.url}/client/authenticate`)).status).toBe(405);
    const lost = await post('/client/nowhere', {});
    expect([lost.status, await lost.json()]).toEqual([404, expect.objectContaining({ error: expect.anything() })]);
    const headers = { 'content-type': 'application/json' };
    expect((await fetch(`${xpay.url}/client/authenticate`, { method: 'POST', headers, body: '{' })).status).toBe(400);
  });

  it('issues different tokens within one second, or equal ones if configured', async () => {
    const clock = new ManualClock();
    await xpay.stop();
    xpay = await startXPayEmulator({ accounts: [ADA], clock });
    expect(await token()).not.toBe(await token());
    xpay.equalTokensWithinASecond = true;
    const earlier = await token();
    expect(await token()).toBe(earlier);
    await clock.advance(1_000);
    expect(await token()).not.toBe(earlier);
  });

  it('revokes older tokens at a login if an account can have only one', async () => {
    xpay.oneTokenPerAccount = true;
    const [older, newer] = [await token(), await token()];
    expect([xpay.isLive(older), xpay.isLive(newer)]).toEqual([false, true]);
  });

  it('returns a scripted business error instead of the result, for matching requests only', async () => {
    const authorization = `Bearer ${await token()}`;
    const confirm = '/client/wallets/send/tron/confirm';
    const transfer = { wallet: 'w', destination: 'd', amount: 5 };
    xpay.businessError('insufficient token balance', null, { path: confirm });
    expect(await read(post('/client/wallets/send/tron/preview', transfer, { authorization }))).toHaveProperty(
      'success',
    );
    const refused = await read(post(confirm, transfer, { authorization }));
    expect(refused).toHaveProperty('error.message', 'insufficient token balance');
    expect(xpay.payments).toHaveLength(0);
    await post(confirm, transfer, { authorization });
    expect(xpay.payments).toEqual([{ at: expect.any(Number), username: ADA.username, kind: 'tron', body: transfer }]);
    xpay.businessError('maintenance');
    expect(await login()).toMatchObject({ error: { message: 'maintenance', data: null } });
  });

  it('can lose the answer of a completed payment', async () => {
    const authorization = `Bearer ${await token()}`;
    xpay.faults.next({ kind: 'reset', processed: true });
    await expect(post('/client/wallets/send/tron/confirm', { amount: 5 }, { authorization })).rejects.toThrow();
    expect(xpay.payments).toHaveLength(1);
  });

  it('rejects a changed key and a removed account, and revokes the tokens of the latter', async () => {
    const bearer = await token();
    xpay.setSecret(ADA.username, 'ada-key-2');
    expect(await login()).toHaveProperty('error.message', 'invalid credentials');
    expect(xpay.isLive(bearer)).toBe(true);
    expect(xpay.removeAccount(ADA.username)).toBe(true);
    expect([xpay.accounts, xpay.isLive(bearer)]).toEqual([[], false]);
  });

  it.each([
    ['bothKeys', 'error', expect.anything()],
    ['noKeys', 'success', undefined],
    ['nullData', 'success.data', null],
    ['innerFalse', 'success.data.success', false],
    ['noToken', 'success.data.access_token', undefined],
    ['noUser', 'success.data.user', undefined],
    ['noExpiry', 'success.data.expiresAt', undefined],
    ['expiryInSeconds', 'success.data.expiresAt', (Date.UTC(2026, 0, 1) + 1000 * 86_400_000) / 1000],
    ['expiryIsText', 'success.data.expiresAt', 'tomorrow'],
    ['expiryInThePast', 'success.data.expiresAt', 1_000_000_000_000],
  ] as const)('can break its answer in one place: %s', async (name, path, value) => {
    await xpay.stop();
    xpay = await startXPayEmulator({ accounts: [ADA], clock: new ManualClock(Date.UTC(2026, 0, 1)) });
    xpay.faults.next(xpayMalformed[name]);
    const broken = await login({ isAPI: true });
    if (value === undefined) expect(broken).not.toHaveProperty(path);
    else expect(broken).toHaveProperty(path, value);
  });
});
