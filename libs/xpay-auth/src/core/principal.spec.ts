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
});
