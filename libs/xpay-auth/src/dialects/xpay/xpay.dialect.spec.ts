import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { inspect } from 'node:util';
import { type Fault, type XPayEmulator, startXPayEmulator, xpayMalformed } from 'nestjs-xpay-auth/testing';
import { systemClock } from '../../async/system-clock.js';
import { XPayAuthError } from '../../core/errors.js';
import { lifeFromNow } from '../../core/lifetime.js';
import type { Dialect, Grant, Purpose } from '../../core/ports.js';
import { axiosTransport, createAxios } from '../../http/axios-transport.js';
import { UpstreamClient } from '../../http/upstream-client.js';
import { xPay } from './xpay.dialect.js';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const EVE = { username: 'eve@example.test', secretKey: 'key-of-eve-90317' };
const AUTHENTICATE = '/client/authenticate';

describe('xPay.stream: authentication', () => {
  let xpay: XPayEmulator;
  beforeEach(async () => {
    xpay = await startXPayEmulator({ accounts: [{ ...EVE, scopes: ['tme_user', 'reports:read'] }] });
  });
  afterEach(() => xpay.stop());

  function authenticate(
    dialect: Dialect = xPay(),
    credentials = EVE,
    purpose: Purpose = 'verification',
  ): Promise<Grant> {
    const timeoutMs = 5_000;
    const transport = axiosTransport(createAxios({ timeoutMs, maxResponseBytes: 1_000_000 }));
    return dialect.authenticate(
      credentials,
      new UpstreamClient({ transport, baseUrl: xpay.url, clock: systemClock, timeoutMs }),
      purpose,
    );
  }

  async function failure(dialect?: Dialect, credentials = EVE): Promise<XPayAuthError> {
    const thrown: unknown = await authenticate(dialect, credentials).catch((error: unknown) => error);
    if (!(thrown instanceof XPayAuthError)) throw new Error('expected an XPayAuthError', { cause: thrown });
    const everything = inspect(thrown, { depth: Infinity, showHidden: true }) + JSON.stringify(Object.entries(thrown));
    expect(everything).not.toContain(credentials.secretKey);
    return thrown;
  }

  /** The answer to a login as the upstream's words have it, whatever it would have been. */
  const says = (status: number, body: unknown): void =>
    xpay.faults.next({ kind: 'status', status, body }, { path: AUTHENTICATE });

  describe('the question', () => {
    it('is one POST with the three fields and a fresh v4 uuid', async () => {
      const grants = [await authenticate(), await authenticate()];
      const [first, second] = xpay.ledger;
      expect(first).toMatchObject({
        method: 'POST',
        path: AUTHENTICATE,
        headers: { 'content-type': 'application/json' },
        body: { username: EVE.username, isAPI: true },
      });
      expect(first?.uuid).toMatch(UUID);
      expect(second?.uuid).toMatch(UUID);
      expect(second?.uuid).not.toBe(first?.uuid);
      expect(grants.map(({ reference }) => reference?.uuid)).toEqual([first?.uuid, second?.uuid]);
    });

    it('carries no Authorization header', async () => {
      await authenticate();
      expect(xpay.ledger[0]?.headers).not.toHaveProperty('authorization');
    });

    const purposes = ['own token', 'verification', 'login'] as const;
    it.each([
      [undefined, [true, true, true]],
      [true, [true, true, true]],
      [false, [false, false, false]],
      [{ login: false }, [true, true, false]],
      [{ 'own token': false, verification: true }, [false, true, true]],
    ])('with isAPI: %p says, for each purpose, %p', async (option, said) => {
      const dialect = xPay(option === undefined ? {} : { isAPI: option });
      for (const purpose of purposes) await authenticate(dialect, EVE, purpose);
      expect(xpay.ledger.map(({ body }) => (body as { isAPI: unknown }).isAPI)).toEqual(said);
    });

    it('carries bytes exactly: quotes, backslashes, control characters and all of Unicode', async () => {
      const odd = { username: 'e"v\\e 😀\u2028', secretKey: 'k"\\\u0007 é\u0301' };
      xpay.addAccount(odd);
      expect(await authenticate(xPay(), odd)).toMatchObject({ username: odd.username });
    });
  });

  describe('a grant', () => {
    it('is token, user, scopes and expiry, with unknown scopes as they are', async () => {
      const grant = await authenticate();
      expect(grant).toMatchObject({
        username: EVE.username,
        scopes: ['tme_user', 'reports:read'],
        isAPI: true,
        upstreamNow: expect.any(Number),
      });
      expect(grant.accessToken.scopes).toEqual(grant.scopes);
      expect(xpay.isLive(grant.accessToken.value)).toBe(true);
      const days = ((grant.accessToken.expiresAt ?? 0) - Date.now()) / 86_400_000;
      expect(Math.round(days)).toBe(1_000);
    });

    it("has the upstream's name for the user, which need not be the one that was typed", async () => {
      xpay.addAccount({ ...EVE, displayName: 'eve-the-admin' });
      expect(await authenticate()).toMatchObject({ username: 'eve-the-admin' });
    });

    it('O17 · has as many as 100 scopes of 256 characters, however they are spelt', async () => {
      const scopes = ['two words', 'é', '"', ...Array.from({ length: 97 }, (_, i) => `${i}`.padEnd(256, 'x'))];
      xpay.faults.next(inData({ user: { username: 'eve', scopes } }));
      expect(await authenticate()).toMatchObject({ scopes });
    });

    it('may have no scopes', async () => {
      xpay.addAccount({ ...EVE, scopes: [] });
      expect(await authenticate()).toMatchObject({ scopes: [] });
    });

    it.each(['top', 'inside'] as const)('has its reference where the uuid is placed: %s', async (placement) => {
      xpay.uuidPlacement = placement;
      const { reference } = await authenticate();
      expect(reference).toEqual({ uuid: xpay.ledger[0]?.uuid });
    });

    it('O12 · without an expiry has none', async () => {
      xpay.faults.next(xpayMalformed.noExpiry);
      expect((await authenticate()).accessToken.expiresAt).toBeUndefined();
    });

    it.each(['expiryInSeconds', 'expiryInThePast'] as const)(
      'O12 · with an invalid expiry (%s) has no lifetime',
      async (name) => {
        xpay.faults.next(xpayMalformed[name]);
        const { accessToken, upstreamNow } = await authenticate();
        expect(() => lifeFromNow({ expiresAt: accessToken.expiresAt, upstreamNow }, Date.now())).toThrow(
          expect.objectContaining({ code: 'upstream_malformed' }),
        );
      },
    );
  });

  describe('I6 · rejects', () => {
    it('a wrong key and an unknown user: 200 with `error`, with both references', async () => {
      const wrongKey = await failure(xPay(), { ...EVE, secretKey: 'key-of-nobody' });
      const nobody = await failure(xPay(), { username: 'nobody@example.test', secretKey: 'key-of-nobody' });
      for (const [i, refused] of [wrongKey, nobody].entries()) {
        expect(refused).toMatchObject({ code: 'invalid_credentials', reference: { tag: expect.stringMatching(UUID) } });
        expect(refused.reference?.uuid).toBe(xpay.ledger[i]?.uuid);
      }
    });

    it.each([
      ['error.data.invalid, whatever the words', 200, { message: 'Zugang verweigert', data: { invalid: true } }],
      ['the words, whatever the data', 200, { message: 'invalid credentials' }],
      ['the words in any case', 200, { message: 'Invalid Credentials', data: null }],
      ['an `error` with any status below 500: 401', 401, { message: 'invalid credentials', data: { invalid: true } }],
      ['an `error` with any status below 500: 403', 403, { message: 'invalid credentials', data: { invalid: true } }],
    ])('%s', async (_what, status, error) => {
      says(status, { error });
      expect(await failure()).toMatchObject({ code: 'invalid_credentials' });
    });

    it('whatever isRefusal recognises, instead of the known messages', async () => {
      const dialect = xPay({ isRefusal: ({ message, data }) => message === 'locked' && data === 7 });
      says(200, { error: { message: 'locked', data: 7 } });
      expect(await failure(dialect)).toMatchObject({ code: 'invalid_credentials' });
      says(200, { error: { message: 'invalid credentials', data: 8 } });
      expect(await failure(dialect)).toMatchObject({ code: 'upstream_business_error' });
      says(200, { error: { message: 'locked', data: { invalid: true } } });
      expect(await failure(dialect)).toMatchObject({ code: 'invalid_credentials' });
    });
  });

  describe('I6 · no refusal, but upstream_business_error, is', () => {
    it.each([
      ['maintenance', null],
      ['too many requests', { wait: 5 }],
      ['invalid', { invalid: 'true' }],
      ['your credentials are invalid credentials', { invalid: 1 }],
      ['', { invalid: false }],
      ['array', [true]],
    ])('%p with %p', async (message, data) => {
      xpay.businessError(message, data, { path: AUTHENTICATE });
      expect(await failure()).toMatchObject({
        code: 'upstream_business_error',
        reference: { uuid: expect.stringMatching(UUID), tag: expect.stringMatching(UUID) },
      });
    });

    it('B12 · told without any of its words, which may repeat the key in any spelling, and with its references', async () => {
      for (const words of [EVE.secretKey, EVE.secretKey.toUpperCase(), `key ${EVE.secretKey.slice(0, -3)}…`, 'noon']) {
        xpay.businessError(words, { sent: words }, { path: AUTHENTICATE });
        const { message, reference } = await failure();
        expect(message).toBe('The upstream reported an error that is not a refusal');
        expect(reference).toEqual({ uuid: expect.stringMatching(UUID), tag: expect.stringMatching(UUID) });
      }
    });
  });

  describe('I6 · an error status decides, whatever its envelope contains:', () => {
    const invalid = { message: 'invalid credentials', data: { invalid: true } };
    it.each([
      [429, 'upstream_rate_limited'],
      [500, 'upstream_unavailable'],
      [503, 'upstream_unavailable'],
    ] as const)('%d is %s, with Retry-After and the references', async (status, code) => {
      const [uuid, tag] = [randomUUID(), randomUUID()];
      xpay.faults.next({
        kind: 'status',
        status,
        headers: { 'retry-after': '120' },
        body: { uuid, error: { ...invalid, tag } },
      });
      expect(await failure(xPay({ isRefusal: () => true }))).toMatchObject({
        code,
        retryAfterMs: 120_000,
        reference: { uuid, tag },
      });
    });
  });

  describe('I6 · without an envelope the status speaks:', () => {
    it.each([
      ['429', { kind: 'rateLimited', retryAfter: 30 }, 'upstream_rate_limited', 30_000],
      ['503', { kind: 'unavailable', retryAfter: 2 }, 'upstream_unavailable', 2_000],
      ['502 in HTML', { kind: 'html502' }, 'upstream_unavailable', undefined],
      ['500 with `success`', { kind: 'status', status: 500, body: { success: {} } }, 'upstream_unavailable', undefined],
      ['200 and nothing', { kind: 'empty' }, 'upstream_malformed', undefined],
      ['200 and no JSON', { kind: 'notJson' }, 'upstream_malformed', undefined],
      ['200 and a list', { kind: 'status', status: 200, body: [] }, 'upstream_malformed', undefined],
      ['200 and a text', { kind: 'status', status: 200, body: '"text"' }, 'upstream_malformed', undefined],
      ['404', { kind: 'status', status: 404, body: 'Not Found' }, 'upstream_malformed', undefined],
      ['401', { kind: 'status', status: 401 }, 'upstream_malformed', undefined],
      ['403', { kind: 'status', status: 403, body: {} }, 'upstream_malformed', undefined],
      ['307', { kind: 'redirect', location: 'https://evil.test/' }, 'upstream_malformed', undefined],
      ['error: null', { kind: 'status', status: 200, body: { error: null } }, 'upstream_malformed', undefined],
      ['error: text', { kind: 'status', status: 200, body: { error: 'no' } }, 'upstream_malformed', undefined],
    ] as const)('%s', async (_what, fault, code, retryAfterMs) => {
      xpay.faults.next(fault);
      const thrown = await failure();
      expect(thrown.code).toBe(code);
      expect(thrown.retryAfterMs).toBe(retryAfterMs);
    });
  });

  describe('I6 · fails with upstream_malformed and accepts no caller for a grant', () => {
    const broken: Record<string, Fault> = {
      'beside an error': xpayMalformed.bothKeys,
      'without an envelope': xpayMalformed.noKeys,
      'without data': xpayMalformed.nullData,
      'that says it is none': xpayMalformed.innerFalse,
      'whose own success is neither true nor absent': inData({ success: 'false' }),
      'without a token': xpayMalformed.noToken,
      'without a user': xpayMalformed.noUser,
      'with an expiry that is text': xpayMalformed.expiryIsText,
      'with a token that fits no header': inData({ access_token: 'a\r\nx: y' }),
      'with an empty token': inData({ access_token: '' }),
      'to nobody': inData({ user: { username: '', scopes: ['tme_user'] } }),
      'to a name that forges a line of the log': inData({ user: { username: 'a\nb', scopes: ['tme_user'] } }),
      'to a name of 4,097 bytes': inData({ user: { username: 'x'.repeat(4_097), scopes: [] } }),
      'with scopes that are a text': inData({ user: { username: 'eve', scopes: 'tme_admin' } }),
      'with scopes that are numbers': inData({ user: { username: 'eve', scopes: [1] } }),
      'with 101 scopes': inData({ user: { username: 'eve', scopes: Array.from({ length: 101 }, (_, i) => `s${i}`) } }),
      'with a scope of 257 characters': inData({ user: { username: 'eve', scopes: ['s'.repeat(257)] } }),
    };

    it.each(Object.keys(broken))('%s', async (name) => {
      xpay.faults.next(broken[name] ?? { kind: 'empty' });
      expect(await failure()).toMatchObject({ code: 'upstream_malformed' });
    });
  });
});

/** A login's good answer with some of its data replaced. */
function inData(replaced: Record<string, unknown>): Fault {
  return {
    kind: 'transform',
    transform: (body) => {
      const { success } = body as { success: { data: object } };
      return { success: { ...success, data: { ...success.data, ...replaced } } };
    },
  };
}
