import { describe, expect, it } from '@jest/globals';
import { AccessToken, XPayAuthError, XPayAuthModule, XPaySessionService, xPay } from 'nestjs-xpay-auth';
import { ManualClock, startGiftStreamEmulator } from 'nestjs-xpay-auth/testing';
import { RoutesController, ada, asAda, root, startInbound } from '../support/inbound-app.js';
import { bearer, platforms, startApp } from '../support/start-app.js';
import { unsignedJwt } from '../support/unsigned-jwt.js';

const hour = 3_600_000;

describe.each(platforms)('sessions on %s', (platform) => {
  it('I10 · a login returns a random token of 256 bits that lives for the session period, without further upstream calls', async () => {
    await using app = await startInbound(platform);
    const session = await app.sessions.login(ada);
    const other = await app.sessions.login(ada);
    expect(session.accessToken).toMatch(/^[\w-]{43}$/);
    expect(other.accessToken).not.toBe(session.accessToken);
    expect(session).toMatchObject({ tokenType: 'Bearer', expiresAt: app.clock.now() + 12 * hour });
    await app.clock.advance(12 * hour - 1);
    expect(await app.status('/me', bearer(session.accessToken))).toBe(200);
    await app.clock.advance(1);
    expect(await app.status('/me', bearer(session.accessToken))).toBe(401);
    expect(app.asked()).toBe(2);
  });

  it("I10 · a session ends when the upstream's grant expires, if that is sooner", async () => {
    await using app = await startInbound(platform);
    // `Date` may have lost a second of it.
    app.xpay.tokenLifeMs = 11_000;
    const { accessToken, expiresAt } = await app.sessions.login(ada);
    expect(expiresAt).toBe(app.clock.now() + 10_000);
    await app.clock.advance(9_999);
    expect(await app.status('/me', bearer(accessToken))).toBe(200);
    await app.clock.advance(1);
    expect(await app.status('/me', bearer(accessToken))).toBe(401);
  });

  it.each(['opaque', 'upstream'] as const)(
    'I10 · a session with a token of kind %s continues after the upstream revoked the token and changed the key, until revokeUser',
    async (token) => {
      await using app = await startInbound(platform, { options: { session: { token } } });
      const { accessToken } = await app.sessions.login(ada);
      app.xpay.revokeTokens(ada.username);
      app.xpay.setSecret(ada.username, 'another-key');
      await app.clock.advance(hour);
      expect(await app.status('/me', bearer(accessToken))).toBe(200);
      await app.sessions.revokeUser(ada.username);
      expect(await app.status('/me', bearer(accessToken))).toBe(401);
    },
  );

  it('I10 · a wall clock that is set back extends no session, and one that jumps ahead (a machine asleep) ends it on time', async () => {
    await using app = await startInbound(platform);
    // `Date` may have lost a second of it.
    app.xpay.tokenLifeMs = hour + 1_000;
    const kept = await app.sessions.login(ada);
    app.clock.stepWall(-4 * hour);
    await app.clock.advance(hour - 1);
    expect(await app.status('/me', bearer(kept.accessToken))).toBe(200);
    await app.clock.advance(1);
    expect(await app.status('/me', bearer(kept.accessToken))).toBe(401);

    const asleep = await app.sessions.login(ada);
    app.clock.stepWall(hour - 1);
    expect(await app.status('/me', bearer(asleep.accessToken))).toBe(200);
    app.clock.stepWall(1);
    expect(await app.status('/me', bearer(asleep.accessToken))).toBe(401);
  });

  it('I10 · counts the sessions that have not ended by a logout, a revocation or their period, which is no use of them', async () => {
    await using app = await startInbound(platform, { options: { session: { idleMs: hour } } });
    const first = await app.sessions.login(ada);
    await app.sessions.login(ada);
    await app.sessions.login(root);
    expect(app.sessions.count()).toBe(3);
    await app.sessions.logout(first.accessToken);
    expect(app.sessions.count()).toBe(2);
    await app.sessions.revokeUser(ada.username);
    expect(app.sessions.count()).toBe(1);
    await app.clock.advance(hour - 1);
    expect(app.sessions.count()).toBe(1);
    await app.clock.advance(1);
    expect(app.sessions.count()).toBe(0);
  });

  it('D7 · beyond `session.maxPerUser` the oldest session of the user ends, also after a logout of another session', async () => {
    await using app = await startInbound(platform, { options: { session: { maxPerUser: 2 } } });
    const login = async () => (await app.sessions.login(ada)).accessToken;
    const [ended, oldest] = [await login(), await login()];
    await app.sessions.logout(ended);
    const newer = [await login(), await login()];
    const statuses: number[] = [];
    for (const token of [oldest, ...newer]) statuses.push(await app.status('/me', bearer(token)));
    expect(statuses).toEqual([401, 200, 200]);
  });

  it('I10 · an idle session ends, a used one continues', async () => {
    await using app = await startInbound(platform, { options: { session: { idleMs: 1_000 } } });
    const { accessToken } = await app.sessions.login(ada);
    for (let i = 0; i < 5; i++) {
      await app.clock.advance(999);
      expect(await app.status('/me', bearer(accessToken))).toBe(200);
    }
    await app.clock.advance(1_000);
    expect(await app.status('/me', bearer(accessToken))).toBe(401);
  });

  it('I10 B10 · logout ends one session at once, revokeUser all of a user, revokeAll those of every user', async () => {
    await using app = await startInbound(platform);
    const [one, two, three] = await Promise.all([ada, ada, root].map((account) => app.sessions.login(account)));
    const statuses = async (): Promise<number[]> => {
      const answers: number[] = [];
      for (const session of [one, two, three])
        answers.push(await app.status('/me', bearer(session?.accessToken ?? '')));
      return answers;
    };
    expect(await statuses()).toEqual([200, 200, 200]);
    await app.sessions.logout(one?.accessToken ?? '');
    expect(await statuses()).toEqual([401, 200, 200]);
    await app.sessions.logout('never-issued');
    await app.sessions.revokeUser(ada.username);
    expect(await statuses()).toEqual([401, 401, 200]);
    await app.sessions.revokeAll();
    expect(await statuses()).toEqual([401, 401, 401]);
    // A revocation is not a ban: valid credentials are accepted again.
    expect(await app.status('/me', bearer((await app.sessions.login(ada)).accessToken))).toBe(200);
  });

  it('I10 B10 · a revocation also removes cached credentials: the upstream is called at once', async () => {
    await using app = await startInbound(platform);
    for (const revoke of [() => app.sessions.revokeUser(ada.username), () => app.sessions.revokeAll()]) {
      expect(await app.status('/me', asAda)).toBe(200);
      const before = app.asked();
      await revoke();
      expect(await app.status('/me', asAda)).toBe(200);
      expect(app.asked()).toBe(before + 1);
    }
    app.xpay.removeAccount(ada.username);
    await app.sessions.revokeUser(ada.username);
    expect(await app.status('/me', asAda)).toBe(401);
  });

  it.each(['revokeUser', 'revokeAll'] as const)(
    'I10 · %s during a check: its outdated result authenticates no caller',
    async (how) => {
      await using app = await startInbound(platform);
      const revoke = () => (how === 'revokeAll' ? app.sessions.revokeAll() : app.sessions.revokeUser(ada.username));
      // The upstream has accepted the user, and its response is in flight when the user is removed and revoked.
      const underWay = { kind: 'delay', ms: 1_000, processed: true } as const;
      app.xpay.faults.next(underWay, { times: 2 });
      const request = app.status('/me', asAda);
      const login = app.sessions.login(ada).then(
        () => 200,
        (failure: XPayAuthError) => failure.getStatus(),
      );
      await app.xpay.waitForRequests(2);
      app.xpay.removeAccount(ada.username);
      await revoke();
      await app.clock.advance(1_000);
      expect([await request, await login]).toEqual([401, 401]);
      expect(app.asked()).toBe(4);
    },
  );

  it('I10 · repeated revocations during checks end in a rejection, not in endless upstream calls', async () => {
    await using app = await startInbound(platform);
    app.xpay.faults.always({ kind: 'delay', ms: 1_000, processed: true });
    const request = app.status('/me', asAda);
    for (let asked = 1; asked <= 2; asked++) {
      await app.xpay.waitForRequests(asked);
      await app.sessions.revokeUser(ada.username);
      await app.clock.advance(1_000);
    }
    expect(await request).toBe(401);
    expect(app.asked()).toBe(2);
  });

  it('I10 · a revocation during a renewal: its outdated result does not restore the entry', async () => {
    await using app = await startInbound(platform);
    await app.status('/me', asAda);
    await app.clock.advance(45_000);
    app.xpay.faults.next({ kind: 'delay', ms: 1_000, processed: true });
    expect(await app.status('/me', asAda)).toBe(200);
    await app.xpay.waitForRequests(2);
    app.xpay.removeAccount(ada.username);
    await app.sessions.revokeUser(ada.username);
    await app.clock.advance(1_000);
    expect(await app.status('/me', asAda)).toBe(401);
  });

  it('I11 · a bearer that this app did not issue is 401 invalid_token, without an upstream call', async () => {
    await using app = await startInbound(platform);
    const { accessToken } = await app.sessions.login(ada);
    const before = app.asked();
    const strangers = [
      'made-up',
      accessToken.slice(0, -1),
      `${accessToken}A`,
      accessToken.toLowerCase(),
      app.xpay.mintToken(ada.username).token,
    ];
    for (const token of strangers) {
      const answer = await app.fetch('/me', { headers: bearer(token) });
      expect([answer.status, await answer.json()]).toMatchObject([401, { errorCode: 'invalid_token' }]);
    }
    expect(app.asked()).toBe(before);
    expect(await app.status('/me', { authorization: `bearer   ${accessToken}` })).toBe(200);
  });

  it('I8 · a login with anything but two strings is 400', async () => {
    await using app = await startInbound(platform);
    for (const body of [
      '{}',
      'null',
      '{"username":"ada@example.test"}',
      '{"username":["ada"],"secretKey":{"$ne":1}}',
    ]) {
      const headers = { 'content-type': 'application/json' };
      const login = await app.fetch('/login', { method: 'POST', headers, body });
      expect(login.status).toBe(400);
    }
    expect(app.asked()).toBe(0);
  });

  it.each(['1|made-by-sanctum', 'a'.repeat(12_300)])(
    "I10 · session.token: 'upstream' fails a login whose token no bearer header can carry, instead of a later request",
    async (token) => {
      const grant = { accessToken: new AccessToken(token), username: ada.username, scopes: [], isAPI: true };
      const dialect = { ...xPay(), authenticate: async () => grant };
      await using app = await startInbound(platform, { options: { dialect, session: { token: 'upstream' } } });
      await expect(app.sessions.login(ada)).rejects.toMatchObject({ code: 'configuration' });
      expect(app.sessions.count()).toBe(0);
      await using opaque = await startInbound(platform, { options: { dialect } });
      const { accessToken } = await opaque.sessions.login(ada);
      expect(await opaque.status('/me', bearer(accessToken))).toBe(200);
    },
  );

  it("session.token: 'upstream' returns the upstream's own token; the default never does", async () => {
    await using opaque = await startInbound(platform);
    expect(opaque.xpay.isLive((await opaque.sessions.login(ada)).accessToken)).toBe(false);
    await using upstream = await startInbound(platform, { options: { session: { token: 'upstream' } } });
    const { accessToken } = await upstream.sessions.login(ada);
    expect(upstream.xpay.isLive(accessToken)).toBe(true);
    expect(await upstream.status('/me', bearer(accessToken))).toBe(200);
    await upstream.sessions.logout(accessToken);
    expect(await upstream.status('/me', bearer(accessToken))).toBe(401);
  });

  it('D6 · two logins with equal tokens from the upstream are one session: the logout of one ends both', async () => {
    await using app = await startInbound(platform, { options: { session: { token: 'upstream' } } });
    app.xpay.equalTokensWithinASecond = true;
    const [one, other] = [await app.sessions.login(ada), await app.sessions.login(ada)];
    expect(other.accessToken).toBe(one.accessToken);
    await app.sessions.logout(other.accessToken);
    expect(await app.status('/me', bearer(one.accessToken))).toBe(401);
    expect((await app.sessions.login(ada)).accessToken).toBe(one.accessToken);
    expect(await app.status('/me', bearer(one.accessToken))).toBe(200);
  });

  it('B13 · a gift-stream token, and the refresh token inside it, are never returned and are not credentials here', async () => {
    const clock = new ManualClock();
    const gil = { username: 'gil@example.test', secretKey: 'gil-secret-key' };
    await using gift = await startGiftStreamEmulator({ accounts: [gil], clock });
    const imports = [XPayAuthModule.forRoot({ dialect: 'gift-stream', baseUrl: gift.url, clock })];
    await using app = await startApp(platform, { imports, controllers: [RoutesController] });
    const login = await app.fetch('/login', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(gil),
    });
    expect(login.status).toBe(200);
    expect(await login.text()).not.toMatch(/eyJ/);
    const asked = gift.requests();
    const renewal = unsignedJwt({ userName: gil.username, 'token-type': 'REFRESH' });
    expect((await app.fetch('/me', { headers: bearer(renewal) })).status).toBe(401);
    expect(gift.requests()).toBe(asked);
    expect(app.app.get(XPaySessionService).upstreamToken('made-up')).toBeUndefined();
    for (const session of [{ token: 'upstream' }, { keepUpstreamToken: true }] as const) {
      const refused = startApp(platform, {
        imports: [XPayAuthModule.forRoot({ dialect: 'gift-stream', baseUrl: gift.url, session })],
      });
      await expect(refused).rejects.toThrow(/session\./);
    }
  });
});
