import { describe, expect, it } from '@jest/globals';
import { Principal } from '../core/principal.js';
import { RememberedCallers } from './remembered-callers.js';

const caller = (username: string, checkedAt = 0) => ({
  principal: new Principal({ username, scopes: [], isAPI: true, expiresAt: undefined, instance: 'default' }),
  checkedAt,
  wallAheadMs: 0,
  endsAt: Infinity,
  renewFrom: Infinity,
});

describe('remembered callers', () => {
  it('I2 · are bounded, the least recently seen make room', () => {
    const callers = new RememberedCallers(2);
    callers.set('a', caller('ada'));
    callers.set('b', caller('bob'));
    callers.get('a');
    callers.set('c', caller('cyd'));
    expect([callers.size, callers.get('a')?.principal.username, callers.get('b')]).toEqual([2, 'ada', undefined]);
  });

  it('I4 · one user has one entry', () => {
    const callers = new RememberedCallers(10);
    callers.set('old', caller('ada'));
    callers.set('new', caller('ada'));
    expect([callers.get('old'), callers.size]).toEqual([undefined, 1]);
    callers.keepOnly('ada', 'newer');
    expect([callers.get('new'), callers.size]).toEqual([undefined, 0]);
  });

  it('I10 · a user is forgotten by name, also after the upstream called them by another', () => {
    const callers = new RememberedCallers(10);
    callers.set('key', caller('ada'));
    callers.set('key', caller('ada.l'));
    callers.forgetUser('ada');
    expect(callers.get('key')?.principal.username).toBe('ada.l');
    callers.forgetUser('ada.l');
    expect(callers.get('key')).toBeUndefined();
    callers.set('x', caller('ada'));
    callers.forgetAll();
    expect([callers.size, callers.ofUser('ada')]).toEqual([0, undefined]);
  });
});
