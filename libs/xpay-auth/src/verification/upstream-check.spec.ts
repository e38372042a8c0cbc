import { describe, expect, it } from '@jest/globals';
import { KeyedDigest } from '../core/credentials.js';
import { XPayAuthError, type XPayAuthErrorCode } from '../core/errors.js';
import type { ReservedAttempt } from '../rate-limit/attempts.js';
import { ManualClock } from '../testing/emulators/manual-clock.js';
import { Revocations, UpstreamCheck } from './upstream-check.js';
import type { PresentedCredentials } from './presented-credentials.js';

const presented = (checkKey: string, isEmpty = false): PresentedCredentials => ({
  by: { scheme: 'Basic', username: checkKey, address: undefined },
  credentials: { username: checkKey, secretKey: 'k' },
  purpose: 'verification',
  key: checkKey,
  checkKey,
  isEmpty,
  isRenewal: false,
});

/** Calls an upstream that fails every check with this code. */
function checkAt(answer: { code: XPayAuthErrorCode }) {
  const clock = new ManualClock();
  let [refunds, calls] = [0, 0];
  const attempt: ReservedAttempt = {
    succeeded: () => Promise.resolve(),
    failed: () => Promise.resolve(),
    refund: async () => void refunds++,
    refundAddress: () => Promise.resolve(),
    isFromTrustedAddress: () => Promise.resolve(false),
  };
  const check = new UpstreamCheck({
    instance: 'default',
    issuer: Symbol('test'),
    scopeHierarchy: {},
    revocations: new Revocations(),
    clock,
    digest: new KeyedDigest(),
    policy: { deadlineMs: 5_000 },
    attempts: {
      refuseLockedOut: () => undefined,
      reserve: () => Promise.resolve(attempt),
      reserveEmpty: () => attempt,
      free: () => attempt,
      storeLostData: () => () => Promise.resolve(),
    },
    audit: () => undefined,
    authenticate: () => {
      calls++;
      return Promise.reject(new XPayAuthError(answer.code, 'no'));
    },
  });
  /** Whether this check cost an attempt. */
  const costs = async (credentials: PresentedCredentials): Promise<boolean> => {
    const before = refunds;
    await expect(check.authenticate(credentials)).rejects.toThrow(XPayAuthError);
    return refunds === before;
  };
  return { clock, costs, calls: () => calls };
}

describe('UpstreamCheck', () => {
  it('I5 · counts the same rejected credentials once an hour', async () => {
    const { clock, costs } = checkAt({ code: 'invalid_credentials' });
    expect([await costs(presented('a')), await costs(presented('a'))]).toEqual([true, false]);
    expect(await costs(presented('b'))).toBe(true);
    await clock.advance(3_599_999);
    expect(await costs(presented('a'))).toBe(false);
    await clock.advance(1);
    expect(await costs(presented('a'))).toBe(true);
  });

  it('D3 · counts a 429 like a rejection, and not the cooldown that follows it', async () => {
    const answer: { code: XPayAuthErrorCode } = { code: 'upstream_rate_limited' };
    const { clock, costs, calls } = checkAt(answer);
    expect([await costs(presented('a')), await costs(presented('a')), calls()]).toEqual([true, false, 1]);
    await clock.advance(1_000);
    answer.code = 'invalid_credentials';
    expect([await costs(presented('a')), calls()]).toEqual([false, 2]);
    await clock.advance(3_599_000);
    expect(await costs(presented('a'))).toBe(true);
  });

  it('I6 · refunds the attempt when the upstream did not decide', async () => {
    const { costs } = checkAt({ code: 'upstream_timeout' });
    expect(await costs(presented('a'))).toBe(false);
  });

  it('I8 · rejects and counts empty credentials without a check', async () => {
    const { costs, calls } = checkAt({ code: 'upstream_timeout' });
    expect([await costs(presented('a', true)), await costs(presented('a', true)), calls()]).toEqual([true, false, 0]);
  });
});
