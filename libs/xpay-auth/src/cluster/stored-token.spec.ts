import { describe, expect, it } from '@jest/globals';
import { ManualClock, MemoryStore } from 'nestjs-xpay-auth/testing';
import { XPayAuthError, type XPayAuthErrorCode } from '../core/errors.js';
import { AccessToken } from '../core/credentials.js';
import { readInstant } from '../core/lifetime.js';
import { readToken, writeBackoff, writeToken } from './stored-token.js';

describe('readToken', () => {
  it.each([
    ['written 200 ms late', 2_000, 200, 0, 1_800],
    ['written after its end', 2_000, 2_500, 0, -500],
    ['read by a wall clock 2 h fast', 3_600_000, 0, 7_200_000, 3_600_000],
    ['read by a wall clock 2 h slow', 3_600_000, 200, -7_200_000, 3_600_000],
  ])('C1 · a token %s', async (_, lifeMs, lateMs, aheadMs, remainingMs) => {
    const clock = new ManualClock();
    const store = new MemoryStore(clock);
    const accessToken = new AccessToken('t', { expiresAt: clock.now() + lifeMs });
    const receivedAt = readInstant(clock);
    const grant = { accessToken, username: 'app', scopes: [], isAPI: true, lifeMs, receivedAt, clockSkewMs: 0 };
    await clock.advance(lateMs);
    await writeToken(store, { id: 'account', generation: 1 }, grant);
    const reader = {
      now: () => clock.now() + aheadMs,
      monotonic: () => clock.monotonic(),
      setTimer: clock.setTimer.bind(clock),
    };
    const read = await readToken(store, reader, 'account');
    expect(lifeMs - (read?.ageMs ?? 0)).toBe(remainingMs);
  });
});

describe('writeBackoff', () => {
  it.each<[XPayAuthErrorCode, number, boolean]>([
    ['upstream_unavailable', 1_000, true],
    ['upstream_unavailable', 0, false],
    ['shutting_down', 1_000, false],
    ['configuration', 1_000, false],
  ])('O13 · shares %s with a backoff of %i ms: %s', async (code, backoffMs, isShared) => {
    const store = new MemoryStore(new ManualClock());
    const failure = { error: new XPayAuthError(code, 'a failure'), backoffMs, rejections: 0, failures: 1 };
    expect(await writeBackoff(store, { id: 'account', generation: 1 }, failure)).toBe(isShared);
    expect((await store.read({ kind: 'pause', id: 'account' })) !== undefined).toBe(isShared);
  });
});
