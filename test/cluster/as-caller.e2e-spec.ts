import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { redisStore } from 'nestjs-xpay-auth/redis';
import { ManualClock, type XPayEmulator, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { ADA, APP, type Instance, InstanceFactory, logins } from '../support/cluster.js';
import { PATIENT } from '../support/redis-clients.js';
import { RedisServer } from '../support/redis-server.js';
import { basic } from '../support/start-app.js';
import { until } from '../support/until.js';

const FIND = '/client/wallets/find';
const asAda = basic(ADA.username, ADA.secretKey).authorization;
const KEPT = { verification: { share: true, keepUpstreamToken: true }, session: { keepUpstreamToken: true } };

let redis: RedisServer;
let xpay: XPayEmulator;
let instances: InstanceFactory;

beforeAll(async () => {
  redis = await RedisServer.start();
});
afterAll(() => redis[Symbol.asyncDispose]());
beforeEach(async () => {
  await redis.client.flushall();
  xpay = await startXPayEmulator({ accounts: [APP, ADA] });
  instances = new InstanceFactory(xpay, redis.url);
});
afterEach(() => xpay[Symbol.asyncDispose]());

/** Calls the upstream as the caller of this header. Returns the number of wallets, or the code of the failure. */
async function act({ http, principalOf }: Instance, authorization: string): Promise<number | string> {
  try {
    const principal = await principalOf(authorization);
    return (await http.asCaller(principal).post<unknown[]>(FIND)).length;
  } catch (failure) {
    return (failure as { code: string }).code;
  }
}

/** Waits until an instance has stored Ada's credentials. The other entry is her trusted address, which is stored before. */
const stored = (): Promise<void> =>
  until(async () => (await redis.client.keys('xpay:*:e')).length === 2, 'the credentials are stored');

describe('asCaller on several instances', () => {
  it('P5 · the token is shared with the verified credentials, and encrypted', async () => {
    await using one = await instances.boot(KEPT);
    await using other = await instances.boot(KEPT);
    expect(await act(one, asAda)).toBe(3);
    await stored();
    expect(await act(other, asAda)).toBe(3);
    expect(logins(xpay, ADA.username)).toBe(1);
    expect(xpay.ledger.filter(({ path }) => path === FIND).map(({ account }) => account)).toEqual([
      ADA.username,
      ADA.username,
    ]);
    const session = await one.sessions.login(ADA);
    const token = one.sessions.upstreamToken(session.accessToken)?.value ?? 'none';
    const values = await Promise.all((await redis.client.keys('*')).map((key) => redis.client.dump(key)));
    expect(values.length).toBeGreaterThan(1);
    expect(values.filter((value) => value?.includes(token) || value?.includes(session.accessToken))).toEqual([]);
  });

  it('P5 · a shared entry without a token is a miss where tokens are kept', async () => {
    await using without = await instances.boot({ verification: { share: true } });
    expect(await without.who(asAda)).toBe(ADA.username);
    await stored();
    await using one = await instances.boot(KEPT);
    expect(await act(one, asAda)).toBe(3);
    expect(logins(xpay, ADA.username)).toBe(2);
    await using later = await instances.boot({ verification: { share: true } });
    expect(await later.who(asAda)).toBe(ADA.username);
    expect(logins(xpay, ADA.username)).toBe(2);
    expect(await act(later, asAda)).toBe('configuration');
  });

  it('P3 · an entry with a rejected token is not used again, and a new check serves all instances', async () => {
    await using one = await instances.boot(KEPT);
    await using other = await instances.boot(KEPT);
    for (const instance of [one, other]) {
      expect(await act(instance, asAda)).toBe(3);
      await stored();
    }
    xpay.revokeTokens(ADA.username);
    expect(await act(one, asAda)).toBe('upstream_unavailable');
    expect(await act(one, asAda)).toBe(3);
    await until(async () => (await act(other, asAda)) === 3, 'the other instance has the new token');
    expect(logins(xpay, ADA.username)).toBe(2);
  });

  it('P3 · a session whose token is rejected ends on all instances, also on a later one', async () => {
    await using one = await instances.boot(KEPT);
    await using other = await instances.boot(KEPT);
    const { accessToken } = await one.sessions.login(ADA);
    const bearer = `Bearer ${accessToken}`;
    for (const instance of [one, other]) expect(await act(instance, bearer)).toBe(3);
    xpay.revokeTokens(ADA.username);
    expect(await act(other, bearer)).toBe('invalid_token');
    await until(async () => (await one.who(bearer)) === 'invalid_token', 'the session has ended on the first instance');
    await using later = await instances.boot(KEPT);
    expect(await later.who(bearer)).toBe('invalid_token');
  });

  it('P2 · a logout or a revocation on another instance ends the calls of a principal in use', async () => {
    await using one = await instances.boot(KEPT);
    await using other = await instances.boot(KEPT);
    for (const end of [
      (token: string) => other.sessions.logout(token),
      () => other.sessions.revokeUser(ADA.username),
    ]) {
      const { accessToken } = await one.sessions.login(ADA);
      const calls = one.http.asCaller(await one.principalOf(`Bearer ${accessToken}`));
      await calls.post(FIND);
      await end(accessToken);
      const code = () => calls.post(FIND).catch((failure: unknown) => (failure as { code: string }).code);
      await until(async () => (await code()) === 'invalid_token', 'the calls end');
    }
  });

  it('P2 · a logout on another instance ends the calls of a principal in use, also if its notification is lost', async () => {
    const store = redisStore({ url: redis.url, encryptionKeys: instances.encryptionKeys, ...PATIENT });
    jest.spyOn(store, 'subscribe').mockReturnValue(() => undefined);
    await using one = await instances.boot({ ...KEPT, store });
    await using other = await instances.boot(KEPT);
    const { accessToken, principal } = await one.sessions.login(ADA);
    const calls = one.http.asCaller(principal);
    await other.sessions.logout(accessToken);
    const code = () => calls.post(FIND).catch((failure: unknown) => (failure as { code: string }).code);
    await until(async () => (await code()) === 'invalid_token', 'the calls end', 20_000);
    expect(await one.who(`Bearer ${accessToken}`)).toBe('invalid_token');
  });

  it('P2 · a principal in use continues after its session was read from the store again', async () => {
    const clock = new ManualClock();
    await using one = await instances.boot({ ...KEPT, clock });
    const { accessToken, principal } = await one.sessions.login(ADA);
    const calls = one.http.asCaller(principal);
    for (let read = 0; read < 3; read++) {
      await clock.advance(1_500);
      expect(await calls.post<unknown[]>(FIND)).toHaveLength(3);
      expect(await one.principalOf(`Bearer ${accessToken}`)).toMatchObject({ username: ADA.username });
    }
  });

  it('P2 · a principal in use continues if this instance still knows sessions that have ended elsewhere', async () => {
    const clock = new ManualClock();
    const options = { clock, session: { ...KEPT.session, maxPerUser: 2 } };
    await using one = await instances.boot(options);
    await using other = await instances.boot(options);
    const kept = await one.sessions.login(ADA);
    const ended = await one.sessions.login(ADA);
    const principal = await one.principalOf(`Bearer ${kept.accessToken}`);
    await other.sessions.logout(ended.accessToken);
    const { accessToken } = await other.sessions.login(ADA);
    await one.principalOf(`Bearer ${accessToken}`);
    expect(await one.http.asCaller(principal).post<unknown[]>(FIND)).toHaveLength(3);
    expect(await one.who(`Bearer ${kept.accessToken}`)).toBe(ADA.username);
  });

  it('P3 · a session that was stored without a token is accepted, but ends when a call acts as its caller', async () => {
    await using without = await instances.boot({});
    await using one = await instances.boot(KEPT);
    const { accessToken } = await without.sessions.login(ADA);
    const bearer = `Bearer ${accessToken}`;
    expect(await one.who(bearer)).toBe(ADA.username);
    expect(await act(one, bearer)).toBe('invalid_token');
    expect(xpay.requests(FIND)).toBe(0);
    expect(await one.who(bearer)).toBe('invalid_token');
  });
});
