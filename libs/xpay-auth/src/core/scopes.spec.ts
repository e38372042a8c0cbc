import { describe, expect, it } from '@jest/globals';
import { assertNoCycle, expandScopes, isScope, meets } from './principal.js';

describe('scopes', () => {
  it('RFC 6749 §3.3 · a scope is printable ASCII without space, quote and backslash', () => {
    for (const scope of ['tme_user', 'a:b/c.d', '!', '~', '[]']) expect(isScope(scope)).toBe(true);
    for (const scope of ['', 'a b', '"', '\\', 'é', 'a\n', '\u007f', 1, undefined]) expect(isScope(scope)).toBe(false);
  });

  it('I12 · requires all scopes, any scope, or both, by exact comparison', () => {
    expect(meets(['a', 'b'], { all: ['a', 'b'], any: [] })).toBe(true);
    expect(meets(['a'], { all: ['a', 'b'], any: [] })).toBe(false);
    expect(meets(['b'], { all: [], any: ['a', 'b'] })).toBe(true);
    expect(meets(['a'], { all: ['a'], any: ['b'] })).toBe(false);
    expect(meets(['A', 'a ', 'aa'], { all: ['a'], any: [] })).toBe(false);
    expect(meets([], { all: [], any: [] })).toBe(true);
  });

  it('I12 · a hierarchy is transitive, and frozen; names of Object properties imply nothing', () => {
    const hierarchy = { root: ['admin'], admin: ['user'], constructor: [] };
    expect(expandScopes(['root', 'x'], hierarchy)).toEqual(['root', 'admin', 'user', 'x']);
    expect(expandScopes(['user', 'toString', '__proto__'], hierarchy)).toEqual(['user', 'toString', '__proto__']);
    expect(Object.isFrozen(expandScopes(['user'], hierarchy))).toBe(true);
  });

  it('I12 · a circle stops the boot with a message that shows it; a diamond is accepted', () => {
    expect(() => assertNoCycle({ a: ['b'], b: ['c'], c: ['a'] })).toThrow('a → b → c → a');
    expect(() => assertNoCycle({ a: ['a'] })).toThrow('a → a');
    expect(() => assertNoCycle({ a: ['b', 'c'], b: ['d'], c: ['d'] })).not.toThrow();
  });
});
