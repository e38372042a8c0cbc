import { describe, expect, it } from '@jest/globals';
import { ManualClock, MemoryStore } from 'nestjs-xpay-auth/testing';
import { XPayAuthError, type XPayAuthErrorCode } from '../core/errors.js';
import { writeBackoff } from './stored-token.js';

describe('writeBackoff', () => {
  it.each<[XPayAuthErrorCode, number, boolean]>([
    ['upstream_unavailable', 1_000, true],
    ['upstream_unavailable', 0, false],
    ['shutting_down', 1_000, false],
    ['configuration', 1_000, false],
  ])('O13 · shares %s with a backoff of %i ms: %s', async (code, backoffMs, isShared) => {
    const store = new MemoryStore(new ManualClock());
    const failure = { error: new XPayAuthError(code, 'a failure'), backoffMs, rejections: 0 };
    expect(await writeBackoff(store, { id: 'account', generation: 1 }, failure)).toBe(isShared);
    expect((await store.read({ kind: 'pause', id: 'account' })) !== undefined).toBe(isShared);
  });
});
