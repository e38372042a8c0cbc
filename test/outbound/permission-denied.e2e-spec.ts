import { describe, expect, it } from '@jest/globals';
import { AccessToken, type UpstreamAnswer, giftStream, passwordLogin, xPay } from 'nestjs-xpay-auth';
import { CONFIRM, FIND, failureOf, startOutbound } from './outbound.js';

const CALLS = 1_000;
const revoked = { error: 'token_revoked' };
const isTokenRejected = ({ status, text }: UpstreamAnswer): boolean =>
  status === 401 || (status === 403 && text.includes('"token_revoked"'));

const answerOf = (status: number, body: object): UpstreamAnswer => ({
  status,
  text: JSON.stringify(body),
  receivedAt: 0,
  upstreamNow: undefined,
  header: () => undefined,
});

describe('a 403 of the API', () => {
  it.each([
    ['by default', {}],
    ['where the option isTokenRejected wants another one', { dialect: xPay({ isTokenRejected }) }],
  ])('E8 · about a permission causes no renewal, %s', async (when, options) => {
    await using app = await startOutbound(options);
    app.xpay.faults.always({ kind: 'status', status: 403, body: { error: 'insufficient_scope' } }, { path: FIND });
    for (let call = 0; call < CALLS; call++) await failureOf(app.http.post(FIND, {}));
    expect(app.events.map(({ type }) => type)).toEqual(['obtained']);
    expect([app.logins(), app.xpay.requests(FIND)]).toEqual([1, CALLS]);
  });

  it('E8 · that rejects the token is renewed and repeated for a call that reads, and for no payment', async () => {
    await using app = await startOutbound({ dialect: xPay({ isTokenRejected }) });
    app.xpay.faults.next({ kind: 'status', status: 403, body: revoked }, { path: FIND });
    await app.http.post(FIND, {});
    expect([app.logins(), app.xpay.requests(FIND)]).toEqual([2, 2]);
    await app.clock.advance(5_000);
    app.xpay.faults.next({ kind: 'status', status: 403, body: revoked }, { path: CONFIRM });
    expect(await failureOf(app.http.post(CONFIRM, {}))).toMatchObject({ code: 'credentials_rejected' });
    await app.http.post(FIND, {});
    expect([app.logins(), app.xpay.requests(CONFIRM)]).toEqual([3, 1]);
  });

  it.each([xPay, giftStream, passwordLogin])('E8 · is judged by isTokenRejected in every dialect (%p)', (create) => {
    const call = { method: 'POST', path: '/pay', uuid: '00000000-0000-4000-8000-000000000000' } as const;
    const token = new AccessToken('t');
    const decode = (options: object, status: number) =>
      create(options).api.decode(answerOf(status, revoked), call, token);
    expect(() => decode({}, 403)).toThrow();
    expect(decode({}, 401)).toEqual({ kind: 'token rejected', untouched: true });
    expect(decode({ isTokenRejected }, 403)).toEqual({ kind: 'token rejected', untouched: false });
    expect(decode({ isTokenRejected }, 401)).toEqual({ kind: 'token rejected', untouched: true });
  });
});
