import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { startGiftStreamEmulator } from './gift-stream.emulator.js';
import type { GiftStreamEmulator } from './gift-stream.emulator.js';
import { claimsOf, jsonAt } from '../../../../../test/support/json-at.js';
import { ManualClock } from './manual-clock.js';

const SHOP = { username: 'shop@example.test', secretKey: 'p&ss wörd+1' };
const SALE = { currencyCode: '826', identifier: 'card-1', siteId: '1', transactionTotal: '5', transactionType: '1' };

const accessTokenOf = ({ body }: { body: unknown }): string => String(jsonAt(body, 'accessToken'));
const nested = (accessToken: string): string => String(jsonAt(claimsOf(accessToken), 'refresh-token'));
const bearing = (token: string, name = 'authorization') => ({ [name]: `Bearer ${token}` });

describe('startGiftStreamEmulator', () => {
  let clock: ManualClock;
  let gift: GiftStreamEmulator;
  beforeEach(async () => {
    clock = new ManualClock();
    gift = await startGiftStreamEmulator({ accounts: [SHOP], clock });
  });
  afterEach(() => gift.stop());

  const call = async (
    method: string,
    path: string,
    form?: Record<string, string>,
    headers: Record<string, string> = {},
  ) => {
    const response = await fetch(`${gift.url}${path}`, {
      method,
      headers,
      ...(form && { body: new URLSearchParams(form) }),
    });
    const body: unknown = await response.json();
    return { status: response.status, body, message: jsonAt(body, 'message') };
  };
  const login = (form: Record<string, string> = { email: SHOP.username, password: SHOP.secretKey }) =>
    call('POST', '/authenticate', form);
  const refresh = (token: string) => call('POST', '/refresh', undefined, bearing(token));

  it('returns a three-day HS512 token with the claims in the order of the vendor, a refresh token included', async () => {
    const { status, body } = await login();
    const iat = clock.now() / 1000;
    expect([status, body]).toEqual([
      200,
      { message: 'OK', timestamp: iat, accessToken: expect.any(String), 'token-id': 1 },
    ]);
    const access = accessTokenOf({ body });
    expect(Buffer.from(access.split('.', 1)[0] ?? '', 'base64url').toString()).toBe('{"typ":"JWT","alg":"HS512"}');
    const shared = [
      ['iat', iat],
      ['iss', 'api.giftcard.appdeliverance.com'],
      ['nbf', iat],
    ];
    const holder = [
      ['userName', SHOP.username],
      ['clientId', '2'],
    ];
    expect(Object.entries(Object(claimsOf(access)))).toEqual([
      ...shared,
      ['exp', iat + 259_200],
      ...holder,
      ['refresh-token', expect.any(String)],
    ]);
    expect(Object.entries(Object(claimsOf(nested(access))))).toEqual([...shared, ...holder, ['token-type', 'REFRESH']]);
  });

  it('issues equal tokens within one second, with different token ids, by default', async () => {
    const [first, second] = [await login(), await login()];
    expect(accessTokenOf(second)).toBe(accessTokenOf(first));
    expect([jsonAt(first.body, 'token-id'), jsonAt(second.body, 'token-id')]).toEqual([1, 2]);
    gift.equalTokensWithinASecond = false;
    expect(accessTokenOf(await login())).not.toBe(accessTokenOf(await login()));
  });

  it('rejects a wrong password with 400, or with the configured status', async () => {
    const wrong = { email: SHOP.username, password: 'wrong' };
    expect(await login(wrong)).toMatchObject({
      status: 400,
      body: { message: 'Invalid Credentials', timestamp: expect.any(Number) },
    });
    Object.assign(gift, { loginFailureStatus: 403, loginFailureMessage: 'Nope', errorTimestamps: false });
    expect(await login(wrong)).toMatchObject({ status: 403, body: { message: 'Nope' } });
    expect(gift.ledger.at(-1)).toMatchObject({
      account: SHOP.username,
      body: { password: '[redacted]' },
      outcome: 'refused',
    });
  });

  it('reads forms only, no field of a JSON body', async () => {
    const headers = { 'content-type': 'application/json' };
    const body = JSON.stringify({ email: SHOP.username, password: SHOP.secretKey });
    const response = await fetch(`${gift.url}/authenticate`, { method: 'POST', headers, body });
    expect([response.status, await response.json()]).toEqual([
      400,
      expect.objectContaining({ message: 'Missing Email' }),
    ]);
  });

  it('refreshes with the nested token and POST only, and rejects everything else with 400', async () => {
    const access = accessTokenOf(await login());
    expect(await call('POST', '/refresh')).toMatchObject({ status: 400, message: 'Missing Token' });
    expect(await call('GET', '/refresh', undefined, bearing(nested(access)))).toMatchObject({ status: 400 });
    expect(await refresh(access)).toMatchObject({ status: 400, message: 'Invalid Token' });
    expect(await refresh('made.up')).toMatchObject({ status: 400, message: 'Invalid Token' });
    expect(await refresh(nested(access))).toMatchObject({ status: 200, body: { message: 'OK', 'token-id': 2 } });
  });

  it('rotates the refresh token, keeps it, or omits it', async () => {
    const first = nested(accessTokenOf(await login()));
    await clock.advance(1_000);
    const second = nested(accessTokenOf(await refresh(first)));
    expect([second === first, gift.isLive(first), gift.isLive(second)]).toEqual([false, false, true]);
    gift.refreshMode = 'keep';
    expect(nested(accessTokenOf(await refresh(second)))).toBe(second);
    gift.refreshMode = 'omit';
    expect(claimsOf(accessTokenOf(await refresh(second)))).not.toHaveProperty('refresh-token');
    expect((await refresh(second)).status).toBe(200);
  });

  it('rejects a missing, unknown, revoked or expired token with 400, and a refresh token by default', async () => {
    gift.tokenLifeMs = 5_000;
    const access = accessTokenOf(await login());
    const sites = (token: string) => call('GET', '/sites', undefined, bearing(token));
    expect(await sites(access)).toMatchObject({ status: 200, body: { records_returned: 2 } });
    expect(await sites(nested(access))).toMatchObject({ status: 400, message: 'Invalid Token' });
    gift.acceptRefreshAsBearer = true;
    expect((await sites(nested(access))).status).toBe(200);
    expect(await call('GET', '/sites')).toMatchObject({ status: 400, message: 'Missing Token' });
    await clock.advance(5_000);
    expect(await sites(access)).toMatchObject({ status: 400, message: 'Expired Token' });
    gift.revokeTokens();
    expect(await sites(access)).toMatchObject({ status: 400, message: 'Invalid Token' });
  });

  it('uses the same 400 for errors that are not about tokens', async () => {
    const headers = bearing(accessTokenOf(await login()));
    expect(await call('GET', '/giftcard/', undefined, headers)).toMatchObject({
      status: 400,
      message: 'Missing Card Id',
    });
    expect(await call('POST', '/giftcard', {}, headers)).toMatchObject({ status: 400, message: 'Missing cardType' });
    expect(await call('POST', '/transaction', {}, headers)).toMatchObject({
      status: 400,
      message: 'Missing currencyCode',
    });
    expect(gift.ledger.at(-1)?.outcome).toBe('bad_request');
    expect(await call('GET', '/sites/99', undefined, headers)).toMatchObject({
      status: 200,
      body: { records_returned: 0, data: [] },
    });
  });

  it('accepts either spelling of the header for a gift card, or only the British one', async () => {
    const token = accessTokenOf(await login());
    const card = (name: string) => call('GET', '/giftcard/card-1', undefined, bearing(token, name));
    expect([(await card('authorization')).status, (await card('authorisation')).status]).toEqual([200, 200]);
    gift.requireAuthorisation = true;
    expect([(await card('authorization')).message, (await card('authorisation')).status]).toEqual([
      'Missing Token',
      200,
    ]);
  });

  it('records every successful transaction', async () => {
    const headers = bearing(accessTokenOf(await login()));
    await call(
      'POST',
      '/giftcard',
      { cardType: '1', currencyCode: '826', identifier: 'card-1', initialBalance: '7' },
      headers,
    );
    expect(await call('POST', '/transaction', SALE, headers)).toMatchObject({
      body: { data: { result: 1, cardBalance: 2 } },
    });
    expect(await call('POST', '/transaction', SALE, headers)).toMatchObject({
      body: { data: { result: 0, cardBalance: 2 } },
    });
    expect(gift.transactions).toEqual([
      { at: clock.now(), username: SHOP.username, transactionType: '1', identifier: 'card-1', transactionTotal: '5' },
    ]);
    expect(await call('GET', '/giftcard/card-1', undefined, headers)).toMatchObject({
      body: { records_returned: 1, data: [{ identifier: 'card-1', balance: 2, expiryDate: '0000-00-00 00:00:00' }] },
    });
  });
});
