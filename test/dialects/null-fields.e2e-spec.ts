import { describe, expect, it } from '@jest/globals';
import { type XPayAuthErrorCode, XPayAuthModule, XPayHttpService } from 'nestjs-xpay-auth';
import { Test } from '@nestjs/testing';
import { startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { ada, asAda, root, startInbound, wrong } from '../support/inbound-app.js';
import { basic } from '../support/start-app.js';

const guest = { username: 'guest@example.test', secretKey: 'guest-secret-key', scopes: [] };
const asGuest = basic(guest.username, guest.secretKey);

describe('D13 · an xPay.stream that returns null for a field without a value', () => {
  it('authenticates callers and rejects wrong keys', async () => {
    await using app = await startInbound('fastify', { accounts: [ada, root, guest] });
    app.xpay.nullFields = true;
    expect([await app.status('/user', asAda), await app.status('/user', wrong())]).toEqual([200, 401]);
  });

  it('gives a caller whose scopes are null no scopes', async () => {
    await using app = await startInbound('fastify', { accounts: [ada, root, guest] });
    app.xpay.nullFields = true;
    const me = await app.fetch('/me', { headers: asGuest });
    expect([me.status, await me.json()]).toEqual([200, expect.objectContaining({ scopes: [] })]);
    expect(await app.status('/user', asGuest)).toBe(403);
  });

  it('answers API calls, renews a rejected token and reports errors', async () => {
    await using xpay = await startXPayEmulator({ accounts: [ada], nullFields: true });
    const module = await Test.createTestingModule({
      imports: [
        XPayAuthModule.forRoot({
          baseUrl: xpay.url,
          credentials: { username: ada.username, secretKey: ada.secretKey },
        }),
      ],
    }).compile();
    const http = module.get(XPayHttpService);
    await expect(http.post('/client/wallets/find', {})).resolves.toHaveLength(3);
    xpay.revokeTokens();
    await expect(http.post('/client/wallets/find', {})).resolves.toHaveLength(3);
    xpay.businessError('maintenance');
    await expect(http.post('/client/wallets/find', {})).rejects.toMatchObject({ code: 'upstream_business_error' });
    await module.close();
  });

  const data = { user: { username: 'ada' }, access_token: 'a-token', expiresAt: 1 };
  it.each<[string, unknown, XPayAuthErrorCode]>([
    ['success and error', { success: { data }, error: { message: 'invalid credentials' } }, 'upstream_malformed'],
    ['success and an empty error', { success: { data }, error: {} }, 'upstream_malformed'],
    ['success and a false error', { success: { data }, error: false }, 'upstream_malformed'],
    ['null for both', { success: null, error: null }, 'upstream_malformed'],
    ['null for one of them', { error: null }, 'upstream_malformed'],
  ])('is still malformed with %s', async (_what, body, errorCode) => {
    await using app = await startInbound('fastify');
    app.xpay.faults.next({ kind: 'status', status: 200, body });
    const answer = await app.fetch('/me', { headers: asAda });
    expect([answer.status, await answer.json()]).toMatchObject([502, { errorCode }]);
  });
});
