import { describe, expect, it } from '@jest/globals';
import { Principal } from './principal.js';

const facts = { username: 'ada', scopes: ['tme_user'], isAPI: true, expiresAt: undefined, instance: 'default' };

describe('principal', () => {
  it('is recognized by its class and issuer, not by its shape', () => {
    const made = new Principal(facts);
    expect(Principal.isPrincipal(made)).toBe(true);
    const alike = Object.assign(Object.create(Principal.prototype) as object, facts);
    for (const forged of [
      facts,
      alike,
      Object.assign({}, made),
      structuredClone(made),
      null,
      undefined,
      'ada',
      Principal,
    ]) {
      expect(Principal.isPrincipal(forged)).toBe(false);
    }
  });

  it('cannot be changed', () => {
    const made = new Principal(facts);
    expect(() => Object.assign(made, { username: 'root' })).toThrow(TypeError);
    expect(made.username).toBe('ada');
  });

  it('I16 · shares one frozen array of scopes with every principal of equal scopes', () => {
    const scopes = ['tme_user', 'a,b'];
    const [one, other] = [new Principal({ ...facts, scopes }), new Principal({ ...facts, scopes: [...scopes] })];
    expect(one.scopes).toBe(other.scopes);
    expect(one.scopes).toEqual(scopes);
    expect(Object.isFrozen(one.scopes)).toBe(true);
    expect(Object.isFrozen(scopes)).toBe(false);
    expect(new Principal({ ...facts, scopes: ['tme_user', 'a', 'b'] }).scopes).toEqual(['tme_user', 'a', 'b']);
  });
});
