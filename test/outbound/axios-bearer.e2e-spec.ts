import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { XPayAuthError, attachXPayBearer } from 'nestjs-xpay-auth';
import axios, { AxiosError, type AxiosInstance } from 'axios';
import { Readable } from 'node:stream';
import { APP, AUTHENTICATE, CONFIRM, FIND, type Outbound, failureOf, startOutbound } from './outbound.js';

const PAYMENT = { wallet: 'w-1', destination: 'T-1', amount: '10', note: 'ä \u2028' };

describe('the token on an axios instance of the app', () => {
  let app: Outbound;
  let client: AxiosInstance;
  let detach: () => void;
  beforeEach(async () => {
    app = await startOutbound({}, { badBearerAnswer: '401-json' });
    client = axios.create({ baseURL: app.xpay.url, proxy: false });
    detach = attachXPayBearer(client, app.tokens);
  });
  afterEach(async () => app[Symbol.asyncDispose]());

  const outcomes = (path: string): string[] =>
    app.xpay.ledger.filter((entry) => entry.path === path).map(({ outcome }) => outcome);

  it('O15 · is sent with requests to the upstream, in every notation of the address', async () => {
    await client.post(FIND, {});
    await client.post(app.xpay.url + FIND, {});
    await client.request({
      method: 'post',
      baseURL: `${app.xpay.url}/client/`,
      url: 'wallets/find',
      params: { page: 1 },
      data: {},
    });
    expect(outcomes(FIND)).toEqual(['ok', 'ok', 'ok']);
    expect(app.logins()).toBe(1);
  });

  it('O15 · is sent to no other host, port or scheme', async () => {
    await using elsewhere = await startOutbound();
    const others = [elsewhere.xpay.url, app.xpay.url.replace('127.0.0.1', 'localhost')];
    for (const origin of others) await client.post(origin + FIND, {}).catch(() => undefined);
    const sent = [...elsewhere.xpay.ledger, ...app.xpay.ledger];
    expect(sent.length).toBeGreaterThan(0);
    expect(sent.filter(({ headers }) => 'authorization' in headers)).toEqual([]);
    expect(app.logins()).toBe(0);
  });

  it('O15 · is not set if the request has its own Authorization, and is not renewed for it', async () => {
    const before = await app.tokens.getToken();
    await client.post(FIND, {}, { headers: { Authorization: 'Bearer mine' } }).catch(() => undefined);
    await client.post(FIND, {}, { auth: { username: 'me', password: 'mine' } }).catch(() => undefined);
    expect(outcomes(FIND)).toEqual(['bad_bearer', 'bad_bearer']);
    expect(app.tokens.peek()).toBe(before);
  });

  it('O15 · is renewed after a 401, and the request repeated once, at once, with the same bytes', async () => {
    await app.tokens.getToken();
    app.xpay.revokeTokens();
    await client.post(CONFIRM, PAYMENT);
    expect(outcomes(CONFIRM)).toEqual(['bad_bearer', 'ok']);
    expect(app.xpay.payments.map(({ body }) => body)).toEqual([PAYMENT]);
    expect(app.logins()).toBe(2);
  });

  it('O15 · a transform of the app is applied to the original body, not to the serialized one', async () => {
    await app.tokens.getToken();
    app.xpay.revokeTokens();
    let applied = 0;
    const wrap = (body: unknown): string => JSON.stringify({ ...PAYMENT, nonce: ++applied, inner: body });
    const headers = { 'content-type': 'application/json' };
    await client.post(CONFIRM, { amount: '10' }, { transformRequest: [wrap], headers });
    expect(applied).toBe(1);
    expect(app.xpay.payments.map(({ body }) => body)).toEqual([{ ...PAYMENT, nonce: 1, inner: { amount: '10' } }]);
  });

  it.each([
    ['a text', '{"page":1}'],
    ['bytes', Buffer.from('{"page":1}')],
    ['nothing', undefined],
  ] as const)('O15 · %s can be repeated', async (_, body) => {
    await app.tokens.getToken();
    app.xpay.revokeTokens();
    await client.post(FIND, body, { headers: { 'content-type': 'application/json' } });
    expect(outcomes(FIND)).toEqual(['bad_bearer', 'ok']);
  });

  it('O15 · a stream cannot be repeated: the token is renewed for the next call', async () => {
    await app.tokens.getToken();
    app.xpay.revokeTokens();
    const body = Readable.from([Buffer.from('{}')]);
    await expect(client.post(FIND, body, { headers: { 'content-type': 'application/json' } })).rejects.toThrow('401');
    expect(outcomes(FIND)).toEqual(['bad_bearer']);
    await client.post(FIND, {});
    expect(app.logins()).toBe(2);
  });

  it('O15 · a second 401 is the response', async () => {
    app.xpay.faults.always({ kind: 'status', status: 401 }, { path: FIND });
    const failure: unknown = await client.post(FIND, {}).catch((thrown: unknown) => thrown);
    expect(failure).toBeInstanceOf(AxiosError);
    expect(failure).toMatchObject({ response: { status: 401 } });
    expect([app.logins(), app.xpay.requests(FIND)]).toEqual([2, 2]);
  });

  it('O15 · a 401 also counts if the app accepts every status', async () => {
    await app.tokens.getToken();
    app.xpay.revokeTokens();
    const response = await client.post(FIND, {}, { validateStatus: () => true });
    expect(response.status).toBe(200);
    expect(app.logins()).toBe(2);
  });

  it('O15 · a hundred requests whose token was rejected cause one renewal', async () => {
    await app.tokens.getToken();
    app.xpay.revokeTokens();
    await Promise.all(Array.from({ length: 100 }, () => client.post(FIND, {})));
    expect(app.logins()).toBe(2);
  });

  it('O15 · a response that the app classifies as a rejection renews the token, and is not repeated', async () => {
    detach();
    detach = attachXPayBearer(client, app.tokens, {
      isRejection: ({ data }) => JSON.stringify(data).includes('"message":"invalid token"'),
    });
    app.xpay.badBearerAnswer = '200-error';
    await app.tokens.getToken();
    app.xpay.revokeTokens();
    await client.post(CONFIRM, PAYMENT);
    expect(outcomes(CONFIRM)).toEqual(['bad_bearer']);
    await client.post(CONFIRM, PAYMENT);
    expect([app.logins(), app.xpay.payments.length]).toEqual([2, 1]);
  });

  it.each(['http', 'fetch'] as const)('O15 · is never sent with a redirect (adapter %s)', async (adapter) => {
    await using elsewhere = await startOutbound();
    for (const location of [elsewhere.xpay.url + FIND, app.xpay.url + FIND]) {
      app.xpay.faults.next({ kind: 'redirect', location }, { path: CONFIRM });
      const response = await client.post(CONFIRM, PAYMENT, { adapter, validateStatus: () => true });
      expect([307, 0]).toContain(response.status);
    }
    expect([elsewhere.xpay.requests(), app.xpay.requests(FIND)]).toEqual([0, 0]);
  });

  it('O16 · without a token the request is not sent', async () => {
    app.xpay.faults.always({ kind: 'html502' }, { path: AUTHENTICATE });
    expect(await failureOf(client.post(FIND, {}))).toMatchObject({ code: 'upstream_unavailable' });
    expect(app.xpay.requests(FIND)).toBe(0);
  });

  it('O16 · if the renewal after a 401 fails, its failure is thrown', async () => {
    await app.tokens.getToken();
    app.xpay.revokeTokens();
    app.xpay.setSecret(APP.username, 'rotated-without-us');
    const failure: unknown = await client.post(FIND, {}).catch((thrown: unknown) => thrown);
    expect(failure).toBeInstanceOf(XPayAuthError);
    expect(failure).toMatchObject({ code: 'credentials_rejected', status: 502 });
  });

  it('O7 · an aborted request does not wait for a token', async () => {
    app.xpay.faults.always({ kind: 'hang' });
    const leaving = new AbortController();
    const waiting = client.post(FIND, {}, { signal: leaving.signal });
    await app.xpay.waitForRequests(1);
    leaving.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    expect(app.xpay.requests(FIND)).toBe(0);
  });

  it('a failed request can be sent again from its config, and gets a token again', async () => {
    app.xpay.faults.next({ kind: 'html502' }, { path: FIND });
    const failure: unknown = await client.post(FIND, {}).catch((thrown: unknown) => thrown);
    if (!(failure instanceof AxiosError) || failure.config === undefined) throw new Error('expected an AxiosError');
    expect(failure.config.headers.has('authorization')).toBe(false);
    await client.request(failure.config);
    expect(outcomes(FIND)).toEqual(['fault:html502', 'ok']);
  });

  it('can be detached', async () => {
    detach();
    await client.post(FIND, {}).catch(() => undefined);
    expect(outcomes(FIND)).toEqual(['bad_bearer']);
    expect(app.logins()).toBe(0);
  });
});

describe('the tokens of two instances on one axios instance', () => {
  it.each([
    ['first', ['pay', 'gift']],
    ['last', ['gift', 'pay']],
  ] as const)('O15 · a token is renewed and the request repeated if its instance was attached %s', async (_, order) => {
    await using pay = await startOutbound({}, { badBearerAnswer: '401-json' });
    await using gift = await startOutbound({}, { badBearerAnswer: '401-json' });
    const apps = { pay, gift };
    const client = axios.create({ proxy: false });
    for (const name of order) attachXPayBearer(client, apps[name].tokens);
    await client.post(pay.xpay.url + CONFIRM, PAYMENT);
    pay.xpay.revokeTokens();
    await client.post(pay.xpay.url + CONFIRM, PAYMENT);
    expect([pay.logins(), gift.logins(), pay.xpay.payments.length]).toEqual([2, 0, 2]);
  });
});
