import { describe, expect, it } from '@jest/globals';
import { Principal } from '../core/principal.js';
import { CachedCallers } from './cached-callers.js';

const caller = (username: string, checkedAt = 0) => ({
  principal: new Principal({ username, scopes: [], isAPI: true, expiresAt: undefined, instance: 'default' }),
  checkedAt,
  wallAheadMs: 0,
  endsAt: Infinity,
  renewFrom: Infinity,
});

describe('CachedCallers', () => {
  it('I2 · is bounded, and drops the least recently seen caller', () => {
    const callers = new CachedCallers(2);
    callers.set('a', caller('ada'));
    callers.set('b', caller('bob'));
    callers.get('a');
    callers.set('c', caller('cyd'));
    expect([callers.size, callers.get('a')?.principal.username, callers.get('b')]).toEqual([2, 'ada', undefined]);
  });

  it('I4 · keeps one entry for each user', () => {
    const callers = new CachedCallers(10);
    callers.set('old', caller('ada'));
    callers.set('new', caller('ada'));
    expect([callers.get('old'), callers.size]).toEqual([undefined, 1]);
    callers.keepOnly('ada', 'newer');
    expect([callers.get('new'), callers.size]).toEqual([undefined, 0]);
  });

  it('I10 · forgets a user by name, also after the upstream changed the name', () => {
    const callers = new CachedCallers(10);
    callers.set('key', caller('ada'));
    callers.set('key', caller('ada.l'));
    callers.forgetUser('ada');
    expect(callers.get('key')?.principal.username).toBe('ada.l');
    callers.forgetUser('ada.l');
    expect(callers.get('key')).toBeUndefined();
    callers.set('x', caller('ada'));
    callers.forgetAll();
    expect([callers.size, callers.checkedAtOf('ada')]).toEqual([0, undefined]);
  });

  it('I16 · returns what was set, and postpones a renewal', () => {
    const callers = new CachedCallers(2);
    const facts = { username: 'ada', scopes: ['tme_admin'], isAPI: false, expiresAt: 5, instance: 'gift' };
    const times = { checkedAt: 1.5, wallAheadMs: 2.5, endsAt: 3.5, renewFrom: 4.5 };
    for (const name of ['bob', 'cyd', 'dan', 'eve']) callers.set(`key of ${name}`, caller(name));
    callers.set('key', { principal: new Principal(facts), ...times });
    callers.set('other', caller('fay'));
    expect(callers.get('key')).toEqual({ principal: facts, ...times });
    expect(callers.get('other')).toMatchObject({ principal: { username: 'fay', expiresAt: undefined } });
    callers.postpone('key', 9);
    callers.postpone('nobody', 9);
    expect([callers.get('key')?.renewFrom, callers.get('other')?.renewFrom]).toEqual([9, Infinity]);
  });

  it('I16 · issues its principals, which share equal sets of scopes', () => {
    const issuer = Symbol('this instance');
    const callers = new CachedCallers(2, issuer);
    callers.set('a', caller('ada'));
    callers.set('b', caller('bob'));
    const [ada, bob] = [callers.get('a')?.principal, callers.get('b')?.principal];
    expect(Principal.isIssuedBy(issuer, ada)).toBe(true);
    expect(ada?.scopes).toBe(bob?.scopes);
    expect(Object.isFrozen(ada?.scopes)).toBe(true);
  });

  it('I16 · keeps users and keys together in any order of calls', () => {
    const callers = new CachedCallers(8);
    const names = new Map<string, string>();
    let seed = 1;
    const random = (below: number): number => (seed = (seed * 48_271) % 2_147_483_647) % below;
    for (let i = 0; i < 5_000; i++) {
      const [key, name] = [`key ${random(24)}`, `user ${random(16)}`];
      if (random(5) === 0) callers.forgetUser(name);
      else {
        callers.set(key, caller(name, i));
        names.set(key, name);
        expect(callers.checkedAtOf(name)).toBe(i);
      }
      const found = callers.get(`key ${random(24)}`);
      if (found !== undefined) expect(callers.checkedAtOf(found.principal.username)).toBe(found.checkedAt);
      expect(callers.size).toBeLessThanOrEqual(8);
    }
    for (const [key, name] of names) expect([name, undefined]).toContain(callers.get(key)?.principal.username);
  });
});
