import { describe, expect, it } from '@jest/globals';
import { AccessToken } from '../core/credentials.js';
import { XPayAuthError } from '../core/errors.js';
import { Instrumentation } from '../core/instrumentation.js';
import { Principal } from '../core/principal.js';
import { ManualClock } from '../testing/emulators/manual-clock.js';
import { type CachedCaller, CredentialCache } from './credential-cache.js';
import type { PresentedCredentials } from './presented-credentials.js';
import { Revocations } from './upstream-check.js';

const presented = (key: string): PresentedCredentials => ({
  by: { scheme: 'Basic', username: key, address: undefined },
  credentials: { username: key, secretKey: 'k' },
  purpose: 'verification',
  key,
  checkKey: key,
  isEmpty: false,
  isRenewal: false,
});

const facts = (username: string) => ({
  username,
  scopes: ['tme_user'],
  isAPI: true,
  expiresAt: undefined,
  instance: 'default',
});

/** In front of a link that answers with the `username`, or fails while there is none. */
function cacheOf({ maxEntries = 10, staleIfErrorMs = 0, lifeMs = undefined as number | undefined } = {}) {
  const clock = new ManualClock();
  const answer: { username: string | undefined } = { username: 'ada' };
  const cache = new CredentialCache({
    clock,
    policy: { periodMs: 60_000, staleIfErrorMs, maxEntries },
    revocations: new Revocations(),
    audit: () => undefined,
    instrumentation: new Instrumentation(),
    hasRoomForRenewal: () => true,
    next: {
      authenticate: () => {
        const { username } = answer;
        if (username === undefined) return Promise.reject(new XPayAuthError('upstream_timeout', 'no answer'));
        const now = clock.monotonic();
        const [principal, accessToken] = [new Principal(facts(username)), new AccessToken('t')];
        const instants = { askedAt: now, wallAheadMs: clock.now() - now, answeredAt: now, lifeMs };
        return Promise.resolve({ principal, grant: { ...facts(username), accessToken }, mark: 0, ...instants });
      },
    },
  });
  /** Checks these credentials at the upstream, which answers with this username. */
  const verify = async (key: string, username?: string): Promise<string> => {
    answer.username = username;
    return (await cache.verify(presented(key))).username;
  };
  const userOf = (key: string) => cache.recall(key, clock.monotonic())?.principal.username;
  /** Returns the entry of these credentials. Fails the test if they are not cached. */
  const entryOf = (key: string): CachedCaller => {
    const caller = cache.recall(key, clock.monotonic());
    if (caller === undefined) throw new Error(`${key} is not cached`);
    return caller;
  };
  return { cache, clock, answer, verify, userOf, entryOf };
}

describe('CredentialCache', () => {
  it('I2 · is bounded, and drops the least recently seen caller', async () => {
    const { verify, userOf } = cacheOf({ maxEntries: 2 });
    await verify('a', 'ada');
    await verify('b', 'bob');
    userOf('a');
    await verify('c', 'cyd');
    expect(['a', 'b', 'c'].map(userOf)).toEqual(['ada', undefined, 'cyd']);
  });

  it('I4 · keeps one entry for each user', async () => {
    const { cache, verify, userOf } = cacheOf();
    await verify('old', 'ada');
    await verify('new', 'ada');
    expect(['old', 'new'].map(userOf)).toEqual([undefined, 'ada']);
    await cache.authenticate(presented('newer'));
    expect(['old', 'new', 'newer'].map(userOf)).toEqual([undefined, undefined, undefined]);
  });

  it('I10 · forgets a user by name, also after the upstream changed the name', async () => {
    const { cache, verify, userOf } = cacheOf();
    await verify('key', 'ada');
    await verify('key', 'ada.l');
    cache.forgetUser('ada');
    expect(userOf('key')).toBe('ada.l');
    cache.forgetUser('ada.l');
    expect(userOf('key')).toBeUndefined();
    await verify('x', 'ada');
    cache.forgetAll();
    expect(userOf('x')).toBeUndefined();
  });

  it('I16 · returns the answer of the upstream, and postpones the renewal of its caller alone', async () => {
    const { cache, clock, verify, entryOf } = cacheOf({ lifeMs: 10_000 });
    const checkedAt = clock.monotonic();
    const wallAheadMs = clock.now() - checkedAt;
    for (const name of ['ada', 'bob', 'cyd']) await verify(`key of ${name}`, name);
    const times = { checkedAt, wallAheadMs, endsAt: checkedAt + 9_000, renewFrom: checkedAt + 6_750 };
    expect(entryOf('key of bob')).toEqual({ principal: facts('bob'), ...times });
    cache.renew(entryOf('key of bob'), presented('key of bob'));
    const renewals = ['key of bob', 'key of ada'].map((key) => entryOf(key).renewFrom - checkedAt);
    expect(renewals).toEqual([4_500, 6_750]);
  });

  it('I16 · keeps users and keys together in any order of calls', async () => {
    const { cache, verify, userOf } = cacheOf({ maxEntries: 8 });
    const keyOfUser = new Map<string, string>();
    let seed = 1;
    const random = (below: number): number => (seed = (seed * 48_271) % 2_147_483_647) % below;
    for (let i = 0; i < 5_000; i++) {
      const [key, name] = [`key ${random(24)}`, `user ${random(16)}`];
      if (random(5) === 0) {
        cache.forgetUser(name);
        keyOfUser.delete(name);
      } else {
        await verify(key, name);
        for (const [user, other] of keyOfUser) if (other === key) keyOfUser.delete(user);
        keyOfUser.set(name, key);
        expect(userOf(key)).toBe(name);
      }
      const found = userOf(`key ${random(24)}`);
      if (found !== undefined) expect(userOf(keyOfUser.get(found) ?? '')).toBe(found);
    }
    const cached = Array.from({ length: 24 }, (_, i) => `key ${i}`).filter((key) => userOf(key) !== undefined);
    expect(cached.length).toBeLessThanOrEqual(8);
    for (const key of cached) expect(keyOfUser.get(userOf(key) ?? '')).toBe(key);
  });
});

describe('the period of a caller', () => {
  it('I1 · ends on the millisecond', async () => {
    const { clock, verify, userOf } = cacheOf();
    await verify('key', 'ada');
    await clock.advance(59_999);
    expect(userOf('key')).toBe('ada');
    await clock.advance(1);
    expect(userOf('key')).toBeUndefined();
  });

  it('I1 · ends with the grant of the upstream, less its margin, where that is shorter', async () => {
    const { clock, verify, userOf } = cacheOf({ lifeMs: 10_000 });
    await verify('key', 'ada');
    await clock.advance(8_999);
    expect(userOf('key')).toBe('ada');
    await clock.advance(1);
    expect(userOf('key')).toBeUndefined();
  });

  it('I1 · is renewed in the background after three quarters, and after half of the rest while the renewal fails', async () => {
    const { cache, clock, answer, verify, entryOf } = cacheOf();
    const checkedAt = clock.monotonic();
    await verify('key', 'ada');
    answer.username = undefined;
    const caller = entryOf('key');
    expect(caller.renewFrom - checkedAt).toBe(45_000);
    const nextRenewalInMs = (): number => {
      cache.renew(caller, presented('key'));
      return caller.renewFrom - clock.monotonic();
    };
    await clock.advance(45_000);
    expect(nextRenewalInMs()).toBe(7_500);
    await clock.advance(14_000);
    // Never more often than every sixteenth of the period.
    expect(nextRenewalInMs()).toBe(3_750);
  });

  it('I6 · continues while the upstream cannot be called, by `staleIfErrorMs` alone', async () => {
    const [without, withIt] = [cacheOf(), cacheOf({ staleIfErrorMs: 5_000 })];
    for (const { clock, verify } of [without, withIt]) {
      await verify('key', 'ada');
      await clock.advance(60_000);
    }
    await expect(without.verify('key')).rejects.toMatchObject({ code: 'upstream_timeout' });
    expect([withIt.userOf('key'), await withIt.verify('key')]).toEqual([undefined, 'ada']);
    await withIt.clock.advance(5_000);
    await expect(withIt.verify('key')).rejects.toMatchObject({ code: 'upstream_timeout' });
  });

  it('I1 · is over when the machine has slept, though the monotonic clock stood still meanwhile', async () => {
    const { clock, verify, userOf } = cacheOf();
    await verify('key', 'ada');
    clock.stepWall(2_000);
    expect(userOf('key')).toBe('ada');
    clock.stepWall(1);
    expect(userOf('key')).toBeUndefined();
  });
});
