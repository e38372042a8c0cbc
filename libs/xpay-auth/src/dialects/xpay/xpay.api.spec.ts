import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { inspect } from 'node:util';
import { type XPayEmulator, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { AccessToken } from '../../core/credentials.js';
import { systemClock } from '../../async/system-clock.js';
import type { ApiCall, ApiOutcome } from '../../core/ports.js';
import { axiosTransport, createAxios } from '../../http/axios-transport.js';
import { UpstreamClient } from '../../http/upstream-client.js';
import { type XPayDialectOptions, xPay } from './xpay.dialect.js';

const APP = { username: 'app@example.test', secretKey: 'key-of-app-31416' };
const FIND = '/client/wallets/find';
const CONFIRM = '/client/wallets/send/tron/confirm';

describe("xPay.stream's API", () => {
  let xpay: XPayEmulator;
  let token: AccessToken;
  beforeEach(async () => {
    xpay = await startXPayEmulator({ accounts: [APP] });
    token = new AccessToken(xpay.mintToken(APP.username).token);
  });
  afterEach(() => xpay.stop());

  async function call(
    asked: Partial<ApiCall> & { path: string },
    options?: XPayDialectOptions,
    bearer = token,
  ): Promise<ApiOutcome> {
    const timeoutMs = 5_000;
    const transport = axiosTransport(createAxios({ timeoutMs, maxResponseBytes: 1_000_000 }));
    const client = new UpstreamClient({ transport, baseUrl: xpay.url, clock: systemClock, timeoutMs });
    const { api } = xPay(options);
    const whole: ApiCall = { method: 'POST', uuid: randomUUID(), ...asked };
    return api.decode(await client.send(api.encode(whole, bearer)), whole, bearer);
  }

  it('is spoken in JSON, with the token and the uuid of the call', async () => {
    const uuid = randomUUID();
    const outcome = await call({ path: FIND, body: { page: 2, pageSize: 1 }, uuid });
    expect(outcome).toMatchObject({ kind: 'data', data: [expect.any(Object)], reference: { uuid } });
    expect(xpay.ledger[0]).toMatchObject({ method: 'POST', uuid, outcome: 'ok', body: { page: 2, pageSize: 1 } });
  });

  it('has an empty object as the body if the call has none, and keeps a body of null', async () => {
    for (const body of [undefined, null]) await call({ path: FIND, body }).catch(() => undefined);
    expect(xpay.ledger.map(({ body }) => body)).toEqual([{}, null]);
  });

  it.each(['top', 'inside'] as const)('tells its reference wherever it stands: %s', async (placement) => {
    xpay.uuidPlacement = placement;
    expect(await call({ path: FIND })).toMatchObject({ reference: { uuid: xpay.ledger[0]?.uuid } });
  });

  it('may succeed with nothing: data is null', async () => {
    await call({ path: '/client/bills/save', body: { reference: 'r-1', amount: 1_000_000 } });
    expect(await call({ path: '/client/bills/cancel', body: { reference: 'r-1' } })).toMatchObject({
      kind: 'data',
      data: null,
    });
  });

  it('gets headers of the caller, but never another token, type or uuid from there', async () => {
    const headers = { 'X-Trace': 't-1', Authorization: 'Bearer other', 'Content-Type': 'text/plain', UUID: 'mine' };
    const uuid = randomUUID();
    await call({ path: FIND, headers, uuid });
    expect(xpay.ledger[0]).toMatchObject({
      outcome: 'ok',
      uuid,
      headers: { 'x-trace': 't-1', 'content-type': 'application/json' },
    });
  });

  describe('O15 · does not accept the token', () => {
    const dead = new AccessToken('dead-token');

    it.each([
      ['200-error', FIND, true],
      ['200-error', '/client/wallets/view', true],
      ['200-error', '/client/wallets/send/tron/preview', true],
      ['200-error', CONFIRM, false],
      ['200-error', '/client/bills/save', false],
      ['200-error', `${CONFIRM}?back=/find`, false],
      ['200-error', `${FIND}?page=1`, true],
      ['401-json', FIND, true],
      ['401-json', CONFIRM, true],
      ['401-empty', FIND, true],
      ['401-empty', CONFIRM, true],
    ] as const)('answering %s at %s: untouched is %p', async (answer, path, untouched) => {
      xpay.badBearerAnswer = answer;
      expect(await call({ path, body: {} }, {}, dead)).toMatchObject({ kind: 'token rejected', untouched });
    });

    it('in the words that tokenRejections lists, whole and exact', async () => {
      const options: XPayDialectOptions = { tokenRejections: ['session is over'] };
      xpay.businessError('session is over');
      expect(await call({ path: FIND }, options)).toMatchObject({ kind: 'token rejected' });
      xpay.businessError('invalid token');
      await expect(call({ path: FIND }, options)).rejects.toMatchObject({ code: 'upstream_business_error' });
    });

    it('where isReadOnly decides what may be asked again', async () => {
      const options: XPayDialectOptions = { isReadOnly: (path) => path === CONFIRM };
      expect(await call({ path: CONFIRM }, options, dead)).toMatchObject({ untouched: true });
      expect(await call({ path: FIND }, options, dead)).toMatchObject({ untouched: false });
    });
  });

  describe('I6 · reports a business error', () => {
    it.each(['insufficient token balance', 'Invalid Token', 'invalid token id', 'maintenance', 'invalid credentials'])(
      '%p is not about the bearer',
      async (message) => {
        xpay.businessError(message, { invalid: true });
        const uuid = randomUUID();
        await expect(call({ path: CONFIRM, uuid })).rejects.toMatchObject({
          code: 'upstream_business_error',
          reference: { uuid, tag: expect.any(String) },
        });
      },
    );

    it('B12 · without the token, which its words may repeat', async () => {
      xpay.businessError(`${'no '.repeat(63)}${token.value}`);
      const thrown: unknown = await call({ path: FIND }).catch((error: unknown) => error);
      expect(inspect(thrown, { depth: Infinity })).not.toContain(token.value.slice(0, 8));
    });

    it.each([
      [429, 'upstream_rate_limited'],
      [503, 'upstream_unavailable'],
      [403, 'upstream_malformed'],
      [200, 'upstream_malformed'],
    ])('without an envelope, status %d is %s', async (status, code) => {
      xpay.faults.next({ kind: 'status', status, body: 'no JSON' });
      await expect(call({ path: FIND })).rejects.toMatchObject({ code });
    });
  });
});
