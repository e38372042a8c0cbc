import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { XPayAuthError, attachXPayBearer } from 'nestjs-xpay-auth';
import axios, { AxiosError, type AxiosInstance, type AxiosResponse } from 'axios';
import { Agent } from 'node:http';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
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

  describe.each(['before', 'after'] as const)('with other interceptors, added %s', (order) => {
    /** Returns a client whose interceptors are added before or after the token's. Its token has been rejected. */
    async function clientWith(add: (client: AxiosInstance) => void): Promise<AxiosInstance> {
      const other = axios.create({ baseURL: app.xpay.url, proxy: false });
      if (order === 'before') add(other);
      attachXPayBearer(other, app.tokens);
      if (order === 'after') add(other);
      await app.tokens.getToken();
      app.xpay.revokeTokens();
      return other;
    }

    it('O15 · one that returns the data of a response is applied once, to the final response', async () => {
      const unwrapping = await clientWith(({ interceptors }) =>
        interceptors.response.use((response: AxiosResponse): AxiosResponse => response.data as AxiosResponse),
      );
      for (const times of [1, 2]) expect(await unwrapping.post(FIND, { times })).toHaveProperty('success');
      expect(outcomes(FIND)).toEqual(['bad_bearer', 'ok', 'ok']);
    });

    it('O15 · one that converts errors does not receive the 401 of a request that is repeated', async () => {
      const converting = await clientWith(({ interceptors }) =>
        interceptors.response.use(undefined, () => Promise.reject(new Error('converted'))),
      );
      expect((await converting.post(FIND, {})).status).toBe(200);
      app.xpay.faults.always({ kind: 'status', status: 401 }, { path: FIND });
      await expect(converting.post(FIND, {})).rejects.toThrow('converted');
    });

    it('O15 · one that encodes or changes the body is applied once', async () => {
      const changing = await clientWith(({ interceptors }) =>
        interceptors.request.use((config) => {
          config.data = JSON.stringify({ ...(config.data as object), signed: true });
          config.headers.setContentType('application/json');
          return config;
        }),
      );
      await changing.post(CONFIRM, PAYMENT);
      expect(app.xpay.payments.map(({ body }) => body)).toEqual([{ ...PAYMENT, signed: true }]);
    });

    it('O16 · the failure of the renewal after a 401 is thrown', async () => {
      const plain = await clientWith(({ interceptors }) => interceptors.response.use((response) => response));
      app.xpay.setSecret(APP.username, 'rotated-without-us');
      const failure: unknown = await plain.post(FIND, {}).catch((thrown: unknown) => thrown);
      expect(failure).toMatchObject({ code: 'credentials_rejected', name: 'XPayAuthError' });
      expect((failure as XPayAuthError).getResponse()).toEqual(
        new XPayAuthError('credentials_rejected', '').getResponse(),
      );
    });
  });

  it.each(['http', 'fetch'] as const)(
    'O15 · the body of a 401 that is repeated is discarded, so that a stream keeps no connection (adapter %s)',
    async (adapter) => {
      await app.tokens.getToken();
      app.xpay.revokeTokens();
      app.xpay.faults.next({ kind: 'status', status: 401, body: 'x'.repeat(3_000_000) }, { path: FIND });
      const httpAgent = new Agent({ keepAlive: true, maxSockets: 1 });
      const { status, data } = await client.post<Readable>(FIND, {}, { adapter, httpAgent, responseType: 'stream' });
      expect(status).toBe(200);
      expect(await text(data)).toContain('success');
      httpAgent.destroy();
    },
  );

  it('O15 · a config with the Authorization of the app is not repeated, if it was sent with the token before', async () => {
    const { config } = await client.post(FIND, {});
    config.headers.set('authorization', 'Bearer mine');
    await expect(client.request(config)).rejects.toThrow('401');
    expect(outcomes(FIND)).toEqual(['ok', 'bad_bearer']);
    expect(app.logins()).toBe(1);
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
