import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { ManualClock, MemoryStore, type XPayEmulator, startXPayEmulator } from 'nestjs-xpay-auth/testing';
import { ADA, APP, type Instance, InstanceFactory, logins } from '../support/cluster.js';
import { basic } from '../support/start-app.js';
import { pumped } from '../support/pumped.js';

let clock: ManualClock;
let store: MemoryStore;
let xpay: XPayEmulator;
let instances: InstanceFactory;

beforeEach(async () => {
  clock = new ManualClock();
  store = new MemoryStore(clock);
  xpay = await startXPayEmulator({ accounts: [APP, ADA], clock, tokenLifeMs: 3_600_000 });
  instances = new InstanceFactory(xpay, '', { store, clock, baseUrl: xpay.url });
});
afterEach(() => xpay[Symbol.asyncDispose]());

describe('C3 · while the store is away', () => {
  it('a session stays valid for 60 s on an instance that knows it, and is then 503 rather than 401', async () => {
    await using one = await instances.boot({ store });
    const { accessToken } = await one.sessions.login(ADA);
    const who = (): Promise<string> => one.who(`Bearer ${accessToken}`);
    store.goAway();
    await clock.advance(59_900);
    expect(await who()).toBe(ADA.username);
    await clock.advance(100);
    expect(await who()).toBe('store_unavailable');
    store.comeBack();
    expect(await who()).toBe(ADA.username);
  });

  it('a revocation takes effect on this instance at once, and on the others when the store is back', async () => {
    await using one = await instances.boot({ store });
    await using other = await instances.boot({ store });
    const { accessToken } = await one.sessions.login(ADA);
    expect(await other.who(`Bearer ${accessToken}`)).toBe(ADA.username);
    store.goAway();
    await expect(one.sessions.revokeUser(ADA.username)).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(await one.who(`Bearer ${accessToken}`)).not.toBe(ADA.username);
    expect(await other.who(`Bearer ${accessToken}`)).toBe(ADA.username);
    store.comeBack();
    await clock.advance(1_000);
    await clock.advance(1_000);
    expect(await other.who(`Bearer ${accessToken}`)).toBe('invalid_token');
    expect(await one.who(`Bearer ${accessToken}`)).toBe('invalid_token');
  });

  it('I10 · a logout takes effect on the other instances at once, also while the store is too slow to read', async () => {
    await using one = await instances.boot({ store });
    await using other = await instances.boot({ store });
    const { accessToken } = await one.sessions.login(ADA);
    expect(await other.who(`Bearer ${accessToken}`)).toBe(ADA.username);
    await one.sessions.logout(accessToken);
    // From here on the store answers no reads, so only the notification can reach the other instance.
    jest.spyOn(store, 'read').mockReturnValue(new Promise(() => undefined));
    await clock.advance(2_000);
    const asked = other.who(`Bearer ${accessToken}`);
    await clock.advance(50);
    expect(await Promise.race([asked, new Promise((resolve) => setImmediate(resolve, 'waiting'))])).not.toBe(
      ADA.username,
    );
  });

  it('C5 · a revocation takes effect everywhere within a second, also when its notification is lost', async () => {
    jest.spyOn(store, 'publish').mockResolvedValue();
    await using one = await instances.boot({ store });
    await using other = await instances.boot({ store });
    const { accessToken } = await one.sessions.login(ADA);
    const asAda = basic(ADA.username, ADA.secretKey).authorization;
    expect([await other.who(`Bearer ${accessToken}`), await other.who(asAda)]).toEqual([ADA.username, ADA.username]);
    const checks = logins(xpay, ADA.username);
    await one.sessions.revokeUser(ADA.username);
    await clock.advance(1_000);
    expect(await other.who(`Bearer ${accessToken}`)).toBe('invalid_token');
    expect(await other.who(asAda)).toBe(ADA.username);
    expect(logins(xpay, ADA.username)).toBe(checks + 1);
  });

  it('status() and the log report the outage and its end', async () => {
    await using one = await instances.boot({ store });
    const said = (): unknown => one.tokens.status().store;
    expect(said()).toMatchObject({ state: 'ready', reason: undefined });
    store.goAway('ECONNREFUSED');
    expect(said()).toMatchObject({ state: 'away', reason: 'ECONNREFUSED' });
    store.comeBack();
    expect(said()).toMatchObject({ state: 'ready' });
    const told = one.lines.filter((line) => line.includes('shared store'));
    expect(told).toEqual([expect.stringContaining('is away (ECONNREFUSED)'), expect.stringContaining('is back')]);
  });

  it('cached callers are accepted, and new ones are verified', async () => {
    await using one = await instances.boot({ store });
    store.goAway();
    const asAda = basic(ADA.username, ADA.secretKey).authorization;
    expect([await one.who(asAda), await one.who(asAda)]).toEqual([ADA.username, ADA.username]);
    expect(logins(xpay, ADA.username)).toBe(1);
  });
});

function guessing(all: readonly Instance[], guesses: number): Promise<string[]> {
  const outcomes = Array.from({ length: guesses }, (_, i) =>
    (all[i % all.length] as Instance).who(basic(ADA.username, `guess ${i}`).authorization),
  );
  // A guess may wait for reservations of another instance.
  return pumped(clock, Promise.all(outcomes));
}

describe('verification.share', () => {
  it('C7 · a caller who uses every instance is verified once, and a revocation ends the shared entry too', async () => {
    await using all = await instances.bootMany(5, { store, verification: { share: true } });
    const asAda = basic(ADA.username, ADA.secretKey).authorization;
    for (const { who } of all) expect(await who(asAda)).toBe(ADA.username);
    expect(logins(xpay, ADA.username)).toBe(1);
    await all[0]?.sessions.revokeUser(ADA.username);
    await clock.advance(500);
    for (const { who } of all) expect(await who(asAda)).toBe(ADA.username);
    expect(logins(xpay, ADA.username)).toBe(2);
  });

  it('I4 · a secret other than the shared one is verified upstream, and the shared entry of the old one ends', async () => {
    await using one = await instances.boot({ store, verification: { share: true } });
    await using other = await instances.boot({ store, verification: { share: true } });
    const [old, changed] = [basic(ADA.username, ADA.secretKey), basic(ADA.username, 'a new secret')];
    expect(await one.who(old.authorization)).toBe(ADA.username);
    xpay.addAccount({ ...ADA, secretKey: 'a new secret' });
    expect(await other.who(changed.authorization)).toBe(ADA.username);
    // The upstream rejected it on one instance, so no other instance may accept it from the store.
    await clock.advance(60_000);
    expect(await other.who(old.authorization)).toBe('invalid_credentials');
    expect(await one.who(old.authorization)).toBe('invalid_credentials');
    expect(await one.who(changed.authorization)).toBe(ADA.username);
  });

  it('I4 · an instance that has accepted a new secret does not accept the old one from the store', async () => {
    await using one = await instances.boot({ store, verification: { share: true } });
    await using other = await instances.boot({ store, verification: { share: true } });
    const [old, changed] = [basic(ADA.username, ADA.secretKey), basic(ADA.username, 'a new secret')];
    expect(await one.who(old.authorization)).toBe(ADA.username);
    await clock.advance(10);
    xpay.setSecret(ADA.username, 'a new secret');
    expect(await other.who(changed.authorization)).toBe(ADA.username);
    expect(await other.who(old.authorization)).toBe('invalid_credentials');
  });

  it('is off by default', async () => {
    await using all = await instances.bootMany(3, { store });
    for (const { who } of all) await who(basic(ADA.username, ADA.secretKey).authorization);
    expect(logins(xpay, ADA.username)).toBe(3);
  });
});

describe('C6 · attempts', () => {
  const attempts = { perUserAndAddress: { attempts: 5, windowMs: 60_000 } };

  it('are counted once across all instances', async () => {
    await using all = await instances.bootMany(4, { store, attempts });
    const outcomes = await guessing(all, 40);
    expect(outcomes.filter((outcome) => outcome === 'invalid_credentials')).toHaveLength(5);
    expect(outcomes.filter((outcome) => outcome === 'too_many_attempts')).toHaveLength(35);
    expect(logins(xpay, ADA.username)).toBe(5);
  });

  it('are counted per instance while the store is away', async () => {
    await using all = await instances.bootMany(2, { store, attempts });
    store.goAway();
    const outcomes = await guessing(all, 40);
    expect(outcomes.filter((outcome) => outcome === 'invalid_credentials')).toHaveLength(10);
  });

  it.each(['count', 'uncount'] as const)(
    'I5 C3 · refunds the attempts of an owner that a store without responses (%s) has counted',
    async (step) => {
      const perUserAndAddress = { attempts: 2, windowMs: 3_600_000 };
      const setting = { store, attempts: { perUserAndAddress }, verification: { periodMs: 1 } };
      await using one = await instances.boot(setting);
      const asAda = basic(ADA.username, ADA.secretKey).authorization;
      const really = store[step].bind(store) as (...given: unknown[]) => Promise<never>;
      // The store executes a count, but its response is lost. A refund does not reach it.
      const silent = jest.spyOn(store, step).mockImplementation(async (...given: unknown[]) => {
        if (step === 'count') await really(...given);
        throw new Error('no answer');
      });
      for (let i = 0; i < 3; i++) {
        // The third one waits for a reservation that is not given back.
        await pumped(clock, one.who(asAda, '192.0.2.7'), 100);
        await clock.advance(10);
      }
      silent.mockRestore();
      expect(await one.who(asAda, '192.0.2.7')).toBe(ADA.username);
    },
  );

  it('I5 · the lockout of an address does not reject a caller from another address who shares its check', async () => {
    const perAddress = { attempts: 2, windowMs: 3_600_000 };
    await using one = await instances.boot({ store, attempts: { perAddress } });
    await using other = await instances.boot({ store, attempts: { perAddress } });
    const asAda = basic(ADA.username, ADA.secretKey).authorization;
    for (let i = 0; i < 2; i++) await guess(one.who, i);
    const addresses = ['198.51.100.9', '192.0.2.7', '198.51.100.9', '192.0.2.8', '192.0.2.7'];
    const outcomes = await Promise.all(addresses.map((address) => other.who(asAda, address)));
    expect(outcomes).toEqual(
      addresses.map((address) => (address === '198.51.100.9' ? 'too_many_attempts' : ADA.username)),
    );
  });

  it('I5 C3 · a caller whose address is trusted shares no 503 with one whose address only an unavailable store knows', async () => {
    const perUser = { attempts: 5, windowMs: 3_600_000 };
    await using one = await instances.boot({ store, attempts: { perUser }, verification: { periodMs: 1 } });
    const asAda = basic(ADA.username, ADA.secretKey).authorization;
    expect(await one.who(asAda, '192.0.2.7')).toBe(ADA.username);
    for (let i = 0; i < 5; i++) await guess(one.who, i);
    await clock.advance(10);
    store.goAway();
    const outcomes = await Promise.all(['192.0.2.8', '192.0.2.7'].map((address) => one.who(asAda, address)));
    expect(outcomes).toEqual(['store_unavailable', ADA.username]);
  });

  it('I5 · an address trusted on one instance is trusted on all when an attacker has used up the budget', async () => {
    const perUser = { attempts: 5, windowMs: 60_000 };
    await using one = await instances.boot({ store, attempts: { perUser }, verification: { periodMs: 1 } });
    await using other = await instances.boot({ store, attempts: { perUser } });
    const asAda = basic(ADA.username, ADA.secretKey).authorization;
    expect(await one.who(asAda, '192.0.2.7')).toBe(ADA.username);
    for (let i = 0; i < 6; i++) await other.who(basic(ADA.username, `guess ${i}`).authorization, '198.51.100.9');
    expect(await other.who(asAda, '198.51.100.9')).toBe('too_many_attempts');
    expect(await other.who(asAda, '192.0.2.7')).toBe(ADA.username);
  });

  it('I5 C3 · responds 503 rather than 429 when only an unavailable store knows whether the address is trusted', async () => {
    const perUser = { attempts: 5, windowMs: 3_600_000 };
    await using one = await instances.boot({ store, attempts: { perUser } });
    await using other = await instances.boot({ store, attempts: { perUser } });
    const asAda = basic(ADA.username, ADA.secretKey).authorization;
    expect(await one.who(asAda, '192.0.2.7')).toBe(ADA.username);
    store.goAway();
    for (let i = 0; i < 6; i++) await other.who(basic(ADA.username, `guess ${i}`).authorization, '198.51.100.9');
    expect(await other.who(asAda, '192.0.2.7')).toBe('store_unavailable');
    expect(await one.who(asAda, '192.0.2.7')).toBe(ADA.username);
    store.comeBack();
    expect(await other.who(asAda, '192.0.2.7')).toBe(ADA.username);
  });

  it('I5 · an address stays trusted when the store is flushed, an attacker uses up the budget, and a new instance takes over', async () => {
    const perUser = { attempts: 5, windowMs: 3_600_000 };
    await using one = await instances.boot({ store, attempts: { perUser } });
    const asAda = basic(ADA.username, ADA.secretKey).authorization;
    expect(await one.who(asAda, '192.0.2.7')).toBe(ADA.username);
    store.flush();
    await clock.advance(1_000);
    expect(await one.who(asAda, '192.0.2.7')).toBe(ADA.username);
    for (let i = 0; i < 6; i++) await one.who(basic(ADA.username, `guess ${i}`).authorization, '198.51.100.9');
    await using late = await instances.boot({ store, attempts: { perUser } });
    expect(await late.who(asAda, '198.51.100.9')).toBe('too_many_attempts');
    expect(await late.who(asAda, '192.0.2.7')).toBe(ADA.username);
  });

  it('I5 D9 · a trusted address that the store has lost is written again, also when the first attempt fails', async () => {
    const asAda = basic(ADA.username, ADA.secretKey).authorization;
    const perUser = { attempts: 5, windowMs: 3_600_000 };
    {
      await using one = await instances.boot({ store, attempts: { perUser } });
      expect(await one.who(asAda, '192.0.2.7')).toBe(ADA.username);
      store.flush();
      const write = jest.spyOn(store, 'write').mockRejectedValue(new Error('no answer'));
      await clock.advance(1_000);
      expect(write).toHaveBeenCalled();
      write.mockRestore();
      await clock.advance(1_000);
    }
    await using late = await instances.boot({ store, attempts: { perUser } });
    for (let i = 0; i < 5; i++) await guess(late.who, i);
    expect(await late.who(asAda, '198.51.100.9')).toBe('too_many_attempts');
    expect(await late.who(asAda, '192.0.2.7')).toBe(ADA.username);
  });
});

function guess(who: Instance['who'], i: number): Promise<string> {
  return who(basic(ADA.username, `guess ${i}`).authorization, '198.51.100.9');
}

describe('D9 · attempts through short outages of the store', () => {
  const MINUTE = 60_000;
  const perUserAndAddress = { attempts: 10, windowMs: 15 * MINUTE };

  it.each(['keeps its data', 'loses its data'])(
    '80 guesses in 15 min reach the upstream 10 times; the store %s',
    async (data) => {
      await using one = await instances.boot({ store, attempts: { perUserAndAddress } });
      for (let i = 0; i < 80; i++) {
        if (i % 4 === 2) store.goAway();
        if (i % 4 === 0) store.comeBack();
        if (i % 4 === 0 && data === 'loses its data') store.flush();
        await guess(one.who, i);
        await clock.advance(10_000);
      }
      expect(logins(xpay, ADA.username)).toBe(10);
      store.comeBack();
      await clock.advance(2 * MINUTE);
      expect(await one.who(basic(ADA.username, ADA.secretKey).authorization, '198.51.100.9')).toBe(ADA.username);
    },
  );

  it('an outage locks out no owner whose reservations it interrupts', async () => {
    await using one = await instances.boot({ store, attempts: { perUserAndAddress }, verification: { periodMs: 1 } });
    const asAda = basic(ADA.username, ADA.secretKey).authorization;
    for (let i = 0; i < 9; i++) await one.who(basic(ADA.username, `typo ${i}`).authorization, '192.0.2.7');
    for (let i = 0; i < 20; i++) {
      if (i % 4 === 1) store.goAway();
      if (i % 4 === 3) store.comeBack();
      expect(await one.who(asAda, '192.0.2.7')).toBe(ADA.username);
      await clock.advance(1_000);
    }
  });

  it('a lockout by failures on one instance is 429 on the others, and no call of the store repeats it', async () => {
    await using one = await instances.boot({ store, attempts: { perUserAndAddress } });
    await using other = await instances.boot({ store, attempts: { perUserAndAddress } });
    for (let i = 0; i < 10; i++) await guess(one.who, i);
    expect(await guess(other.who, 10)).toBe('too_many_attempts');
    const count = jest.spyOn(store, 'count');
    for (let i = 11; i < 100; i++) expect(await guess(i % 2 === 0 ? one.who : other.who, i)).toBe('too_many_attempts');
    expect(count).not.toHaveBeenCalled();
    expect(logins(xpay, ADA.username)).toBe(10);
  });

  it('empty user names and keys put no counter into the store', async () => {
    await using one = await instances.boot({ store, attempts: { perAddress: { attempts: 50, windowMs: MINUTE } } });
    const count = jest.spyOn(store, 'count');
    const outcomes: string[] = [];
    for (let i = 0; i < 100; i++) outcomes.push(await one.who(basic(`user-${i}`, '').authorization, '198.51.100.9'));
    for (let i = 0; i < 100; i++) outcomes.push(await one.who(basic('', `key ${i}`).authorization, '198.51.100.9'));
    expect(outcomes.filter((outcome) => outcome === 'invalid_credentials')).toHaveLength(50);
    expect(count).not.toHaveBeenCalled();
  });
});

describe('C7 · upstream load', () => {
  it.each([1, 4, 16])(
    'sends the same number of requests with %i instances, for 50 users who log in and call every instance for an hour',
    async (count) => {
      const users = Array.from({ length: 50 }, (_, i) => ({ ...ADA, username: `user-${i}@example.test` }));
      users.forEach((user) => xpay.addAccount(user));
      await using all = await instances.bootMany(count, { store, verification: { maxConcurrent: 100 } });
      const sessions = await Promise.all(users.map((user, i) => (all[i % count] as Instance).sessions.login(user)));
      for (let minutes = 0; minutes < 60; minutes += 10) {
        for (const { who, tokens } of all) {
          await tokens.getToken();
          for (const { accessToken, principal } of sessions) {
            expect(await who(`Bearer ${accessToken}`)).toBe(principal.username);
          }
        }
        await clock.advance(600_000 - 1);
      }
      // One login for each user, one for the app and one renewal, whatever the number of instances.
      expect(xpay.ledger.length).toBe(52);
    },
  );
});
