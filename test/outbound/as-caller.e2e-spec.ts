import { describe, expect, it } from '@jest/globals';
import { Principal, XPayAuthModule, XPayHttpService, giftStream } from 'nestjs-xpay-auth';
import { startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { inspect } from 'node:util';
import {
  APP,
  ActingController,
  CONFIRM,
  FIND,
  SecondController,
  actors,
  admit,
  startActing,
} from '../support/acting-app.js';
import { type InboundApp, RoutesController, ada, asAda } from '../support/inbound-app.js';
import { basic, bearer, platforms, startApp } from '../support/start-app.js';

const PERIOD_MS = 60_000;
const bob = { username: 'bob@example.test', secretKey: 'bob-secret-key', scopes: ['tme_user'] };

const post = (app: Pick<InboundApp, 'fetch'>, path: string, headers: Record<string, string> = {}): Promise<Response> =>
  app.fetch(path, { method: 'POST', headers });

/** Starts a session of Ada. Returns the headers of its requests. */
const login = async ({ sessions }: InboundApp): Promise<{ authorization: string }> =>
  bearer((await sessions.login(ada)).accessToken);

/** Returns the failure of an action, which must fail. */
async function failureOf(action: () => unknown): Promise<{ code: string; message: string }> {
  try {
    await action();
  } catch (failure) {
    return failure as { code: string; message: string };
  }
  throw new Error('did not fail');
}

describe.each(platforms)('asCaller on %s', (platform) => {
  it('P1 · sends the token of the caller, with credentials and with a session, and never the app token', async () => {
    await using app = await startActing(platform, { accounts: [APP, ada, bob] });
    await app.app.get(XPayHttpService).post(FIND, {});
    const asSession = await login(app);
    for (const headers of [asAda, asAda, asSession, basic(bob.username, bob.secretKey)]) {
      const response = await post(app, '/wallets', headers);
      expect(response.status).toBe(200);
      expect(await response.json()).toHaveLength(3);
    }
    expect(actors(app)).toEqual([APP.username, ada.username, ada.username, ada.username, bob.username]);
    expect(app.xpay.ledger.filter(({ path, account }) => path !== FIND && account === APP.username)).toHaveLength(1);
  });

  it('P1 · has the calls of XPayHttpService, and works without an app account', async () => {
    await using app = await startActing(platform, { withoutAccount: true });
    const caller = app.app.get(XPayHttpService).asCaller(await admit(app, asAda));
    const { data, meta } = await caller.request<unknown[]>({ path: FIND, body: { page: 1, pageSize: 2 } });
    expect([data.length, meta]).toEqual([2, { nextPage: true }]);
    const usernames: string[] = [];
    for await (const wallet of caller.pages<{ username: string }>(FIND, { pageSize: 2 })) {
      usernames.push(wallet.username);
    }
    expect(usernames).toEqual([ada.username, ada.username, ada.username]);
  });

  it('P1 · an anonymous caller, a principal of a test and a copy throw before anything is sent', async () => {
    await using app = await startActing(platform);
    const http = app.app.get(XPayHttpService);
    const principal = await admit(app, asAda);
    const requests = app.xpay.requests();
    const { username, scopes, isAPI, expiresAt, instance } = principal;
    const facts = { username, scopes, isAPI, expiresAt, instance };
    for (const forged of [
      undefined,
      null,
      facts,
      new Principal(facts),
      Object.assign({}, principal),
      structuredClone(principal),
    ]) {
      expect(await failureOf(() => http.asCaller(forged as Principal))).toMatchObject({ code: 'configuration' });
    }
    expect((await post(app, '/optional')).status).toBe(500);
    expect(app.xpay.requests()).toBe(requests);
    expect((await post(app, '/optional', asAda)).status).toBe(200);
  });

  it('P1 · a principal has no public member that returns its token or creates another principal of the instance', async () => {
    await using app = await startActing(platform);
    const principal = await admit(app, asAda);
    const http = app.app.get(XPayHttpService);
    const { constructor } = principal;
    expect(constructor).toBe(Principal);
    const token = { get: () => Promise.resolve({ value: 'forged' }), invalidate: () => undefined };
    const forged = Reflect.construct(constructor, [principal, token]) as Principal;
    expect(await failureOf(() => http.asCaller(forged).post(FIND))).toMatchObject({ code: 'configuration' });
    expect(Object.getOwnPropertyNames(constructor)).not.toContain('tokenOf');
    expect(app.xpay.requests(FIND)).toBe(0);
  });

  it('P1 · throws for the principal of another instance, whose upstream is on another host', async () => {
    await using one = await startXPayEmulator({ accounts: [ada] });
    await using other = await startXPayEmulator({ accounts: [ada] });
    const keep = { verification: { keepUpstreamToken: true } };
    await using app = await startApp(platform, {
      imports: [
        XPayAuthModule.forRoot({ baseUrl: one.url, ...keep }),
        XPayAuthModule.forRoot({ name: 'second', baseUrl: other.url, ...keep }),
      ],
      controllers: [SecondController],
    });
    expect((await post(app, '/second/own', asAda)).status).toBe(200);
    expect((await post(app, '/second/other', asAda)).status).toBe(500);
    expect(one.requests()).toBe(0);
    expect(actors({ xpay: other })).toEqual([ada.username]);
  });

  it('P1 · throws configuration for a caller whose token was not kept', async () => {
    for (const [kept, headers] of [
      ['session', () => asAda],
      ['verification', login],
    ] as const) {
      const not = kept === 'session' ? 'verification' : 'session';
      await using app = await startActing(platform, { options: { [not]: { keepUpstreamToken: false } } });
      const principal = await admit(app, await headers(app));
      const failure = await failureOf(() => app.app.get(XPayHttpService).asCaller(principal));
      expect(failure).toMatchObject({ code: 'configuration' });
      expect(failure.message).toContain(`${not}.keepUpstreamToken: true`);
      expect((await post(app, '/wallets', await headers(app))).status).toBe(500);
      expect(app.xpay.requests(FIND)).toBe(0);
    }
  });

  it('P1 · uses the token of the check that admitted the request, also after a renewal', async () => {
    await using app = await startActing(platform);
    const http = app.app.get(XPayHttpService);
    const first = await admit(app, asAda);
    await app.clock.advance(PERIOD_MS * 0.8);
    await admit(app, asAda);
    await app.xpay.waitForRequests(2, '/client/authenticate');
    await app.clock.advance(1_000);
    const second = await admit(app, asAda);
    expect(second).not.toBe(first);
    const sent: (string | undefined)[] = [];
    for (const principal of [first, second]) {
      await http.asCaller(principal).post(FIND, {});
      sent.push(app.xpay.ledger.at(-1)?.headers['authorization']);
    }
    expect(sent).toHaveLength(2);
    expect(app.asked()).toBe(2);
  });
});

describe.each(platforms)('a principal in use on %s', (platform) => {
  it('P2 · calls for a session that has ended fail with 401 in handlers that still run, and are not sent', async () => {
    for (const end of [
      (app: InboundApp, token: string) => app.sessions.logout(token),
      (app: InboundApp) => app.sessions.revokeUser(ada.username),
      (app: InboundApp) => app.sessions.revokeAll(),
      (app: InboundApp) => app.clock.advance(43_200_000),
    ]) {
      await using app = await startActing(platform);
      const { accessToken, principal } = await app.sessions.login(ada);
      const calls = app.app.get(XPayHttpService).asCaller(principal);
      await calls.post(FIND, {});
      await end(app, accessToken);
      expect(await failureOf(() => calls.post(FIND, {}))).toMatchObject({ code: 'invalid_token' });
      expect(app.xpay.requests(FIND)).toBe(1);
    }
  });

  it('P2 · calls for a revoked caller without a session fail with 503 and Retry-After until the next check', async () => {
    for (const revoke of [
      (app: InboundApp) => app.sessions.revokeUser(ada.username),
      (app: InboundApp) => app.sessions.revokeAll(),
    ]) {
      await using app = await startActing(platform);
      const calls = app.app.get(XPayHttpService).asCaller(await admit(app, asAda));
      await revoke(app);
      expect(await failureOf(() => calls.post(FIND, {}))).toMatchObject({
        code: 'upstream_unavailable',
        retryAfterMs: 1_000,
      });
      expect(app.xpay.requests(FIND)).toBe(0);
      expect((await post(app, '/wallets', asAda)).status).toBe(200);
    }
  });

  it('P2 · a logout ends only the session of its own token', async () => {
    await using app = await startActing(platform);
    const [one, other] = [await app.sessions.login(ada), await app.sessions.login(ada)];
    const http = app.app.get(XPayHttpService);
    await app.sessions.logout(one.accessToken);
    expect(await failureOf(() => http.asCaller(one.principal).post(FIND))).toMatchObject({ code: 'invalid_token' });
    await http.asCaller(other.principal).post(FIND);
  });
});

describe.each(platforms)('a token of a caller that the upstream rejects, on %s', (platform) => {
  it.each(['200-error', '401-json', '401-empty'] as const)(
    'P3 · with a session answers 401 invalid_token, and ends the session (%s)',
    async (badBearerAnswer) => {
      await using app = await startActing(platform);
      app.xpay.badBearerAnswer = badBearerAnswer;
      const asSession = await login(app);
      app.xpay.revokeTokens(ada.username);
      const response = await post(app, '/wallets', asSession);
      expect(response.status).toBe(401);
      expect(await response.json()).toMatchObject({ errorCode: 'invalid_token' });
      expect(response.headers.get('www-authenticate')).toContain('error="invalid_token"');
      expect(app.xpay.requests(FIND)).toBe(1);
      expect(await app.status('/me', asSession)).toBe(401);
      expect((await post(app, '/wallets', await login(app))).status).toBe(200);
      expect(app.events.filter(({ type }) => type === 'logout')).toHaveLength(1);
    },
  );

  it.each(['200-error', '401-json', '401-empty'] as const)(
    'P3 · without a session answers 503 with Retry-After, and the next request is checked again (%s)',
    async (badBearerAnswer) => {
      await using app = await startActing(platform);
      app.xpay.badBearerAnswer = badBearerAnswer;
      await app.status('/me', asAda);
      app.xpay.revokeTokens(ada.username);
      const response = await post(app, '/wallets', asAda);
      expect(response.status).toBe(503);
      expect(response.headers.get('retry-after')).toBe('1');
      expect(response.headers.has('www-authenticate')).toBe(false);
      expect([app.xpay.requests(FIND), app.asked()]).toEqual([1, 1]);
      expect((await post(app, '/wallets', asAda)).status).toBe(200);
      expect(app.asked()).toBe(2);
      expect(actors(app)).toEqual([undefined, ada.username]);
    },
  );

  it('P3 · is not sent again by another call of the same request', async () => {
    await using app = await startActing(platform);
    const calls = app.app.get(XPayHttpService).asCaller(await admit(app, asAda));
    app.xpay.revokeTokens(ada.username);
    for (let call = 0; call < 3; call++) {
      expect(await failureOf(() => calls.post(FIND))).toMatchObject({ code: 'upstream_unavailable' });
    }
    expect(app.xpay.requests(FIND)).toBe(1);
  });

  it('P3 · ends one session for many concurrent calls, and the sessions of other users continue', async () => {
    await using app = await startActing(platform, { accounts: [APP, ada, bob] });
    const asSession = await login(app);
    const asBob = bearer((await app.sessions.login(bob)).accessToken);
    app.xpay.revokeTokens(ada.username);
    const responses = await Promise.all(Array.from({ length: 20 }, () => post(app, '/wallets', asSession)));
    expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([401]));
    expect((await post(app, '/wallets', asBob)).status).toBe(200);
    expect(app.events.filter(({ type }) => type === 'logout')).toHaveLength(1);
  });

  it('P3 · a failure of the upstream keeps the session and the cached credentials', async () => {
    await using app = await startActing(platform);
    const asSession = await login(app);
    for (const headers of [asSession, asAda]) {
      app.xpay.businessError('maintenance', null, { path: FIND });
      expect((await post(app, '/wallets', headers)).status).toBe(502);
      app.xpay.faults.next({ kind: 'reset' }, { path: FIND });
      expect((await post(app, '/wallets', headers)).status).toBe(503);
      expect((await post(app, '/wallets', headers)).status).toBe(200);
    }
    expect(app.asked()).toBe(2);
  });
});

describe.each(platforms)('an upstream that keeps one token per account, on %s', (platform) => {
  it('P4 · checks and renewals of the same credentials end no session, and payments are not repeated', async () => {
    await using app = await startActing(platform);
    app.xpay.oneTokenPerAccount = true;
    const [one, other] = [await login(app), await login(app)];
    const counts: Record<number, number> = {};
    for (let minute = 0; minute < 30; minute++) {
      for (const headers of [asAda, one, asAda, other, asAda]) {
        const { status } = await post(app, '/wallets', headers);
        counts[status] = (counts[status] ?? 0) + 1;
        await app.clock.advance(PERIOD_MS / 5);
      }
    }
    expect(counts).toEqual({ 200: 150 });
    expect(app.xpay.ledger.filter(({ path, outcome }) => path === FIND && outcome === 'bad_bearer')).not.toEqual([]);
    // A payment is sent once, also if the newer token is known. The session continues.
    await admit(app, asAda);
    await app.clock.advance(PERIOD_MS);
    await admit(app, asAda);
    app.xpay.badBearerAnswer = '200-error';
    const payment = await post(app, '/pay', one);
    expect(payment.status).toBe(503);
    expect(app.xpay.requests(CONFIRM)).toBe(1);
    expect(app.xpay.payments).toEqual([]);
    expect((await post(app, '/wallets', one)).status).toBe(200);
  });

  it('P4 · a request in progress continues with the token of a renewal', async () => {
    await using app = await startActing(platform);
    app.xpay.oneTokenPerAccount = true;
    const calls = app.app.get(XPayHttpService).asCaller(await admit(app, asAda));
    await app.clock.advance(PERIOD_MS);
    await admit(app, asAda);
    await calls.post(FIND);
    expect(actors(app)).toEqual([undefined, ada.username]);
    expect(app.asked()).toBe(2);
  });

  it('P4 · concurrent calls of a session, whose token a later login has replaced, continue with the newer token', async () => {
    await using app = await startActing(platform);
    app.xpay.oneTokenPerAccount = true;
    const [one, other] = [await login(app), await login(app)];
    const responses = await Promise.all(Array.from({ length: 20 }, () => post(app, '/wallets', one)));
    expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([200]));
    expect(app.xpay.ledger.filter(({ outcome }) => outcome === 'bad_bearer').length).toBeGreaterThan(1);
    for (const headers of [one, other]) expect((await post(app, '/wallets', headers)).status).toBe(200);
  });

  it('P4 · a login with the same credentials does not fail the calls of a caller without a session', async () => {
    await using app = await startActing(platform);
    app.xpay.oneTokenPerAccount = true;
    const statuses: number[] = [];
    for (let round = 0; round < 10; round++) {
      const asSession = await login(app);
      for (const headers of [asAda, asSession]) statuses.push((await post(app, '/wallets', headers)).status);
    }
    expect(statuses.filter((status) => status !== 200)).toEqual([]);
    // One check of the caller without a session, and one for each login.
    expect(app.asked()).toBe(11);
  });

  it('P4 · a session with an old key never gets the token of the new key', async () => {
    await using app = await startActing(platform);
    app.xpay.oneTokenPerAccount = true;
    const stolen = await login(app);
    app.xpay.setSecret(ada.username, 'a-new-key');
    expect((await post(app, '/wallets', basic(ada.username, 'a-new-key'))).status).toBe(200);
    expect((await post(app, '/wallets', stolen)).status).toBe(401);
    expect(await app.status('/me', stolen)).toBe(401);
    expect(actors(app)).toEqual([ada.username, undefined]);
  });
});

describe('the tokens of callers', () => {
  it('P5 · are not printed with a principal, an error or a log line', async () => {
    await using app = await startActing('express');
    const session = await app.sessions.login(ada);
    const told: string[] = [];
    for (const principal of [await admit(app, asAda), session.principal]) {
      const calls = app.app.get(XPayHttpService).asCaller(principal);
      app.xpay.revokeTokens(ada.username);
      const failure = await failureOf(() => calls.post(FIND));
      for (const value of [principal, calls, failure, session]) {
        told.push(inspect(value, { depth: 9, showHidden: true }), JSON.stringify(value) ?? '');
      }
    }
    told.push(...app.logged, JSON.stringify(app.events));
    expect(told.filter((text) => /eyJ[\w-]+\./.test(text))).toEqual([]);
  });

  it('P5 · cannot be kept for a dialect whose tokens are long-lived secrets', async () => {
    const options = { dialect: giftStream(), baseUrl: 'https://gift.example.test' };
    const boot = startApp('express', {
      imports: [XPayAuthModule.forRoot({ ...options, verification: { keepUpstreamToken: true } })],
      controllers: [RoutesController, ActingController],
    });
    await expect(boot).rejects.toThrow(
      'XPayAuthModule option verification.keepUpstreamToken: true: not possible with gift-stream',
    );
  });
});
