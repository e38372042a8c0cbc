import { describe, expect, it } from '@jest/globals';
import { Instrumentation } from '../core/instrumentation.js';
import { XPayAuthError } from '../core/errors.js';
import { ManualClock } from '../testing/emulators/manual-clock.js';
import { NegativeCache } from './negative-cache.js';
import type { PresentedCredentials } from './presented-credentials.js';

const presented = (checkKey: string): PresentedCredentials => ({
  by: { scheme: 'Basic', username: checkKey, address: undefined },
  credentials: { username: checkKey, secretKey: 'k' },
  purpose: 'verification',
  key: checkKey,
  checkKey,
  isEmpty: false,
  isRenewal: false,
});

/** In front of a link that fails every check with this code. */
function before(code: 'invalid_credentials' | 'upstream_rate_limited', refusedPeriodMs = 5_000) {
  const clock = new ManualClock();
  let checks = 0;
  const cache = new NegativeCache({
    clock,
    policy: { refusedPeriodMs },
    audit: () => undefined,
    instrumentation: new Instrumentation(),
    next: {
      authenticate: () => {
        checks++;
        return Promise.reject(new XPayAuthError(code, 'no'));
      },
    },
  });
  /** Whether this request reached the next link. */
  const reaches = async (checkKey: string): Promise<boolean> => {
    const earlier = checks;
    await expect(cache.authenticate(presented(checkKey))).rejects.toMatchObject({ code });
    return checks > earlier;
  };
  return { clock, reaches, cache, checks: () => checks };
}

describe('NegativeCache', () => {
  it('I3 · rejects without another check for the period, to the ms', async () => {
    const { clock, reaches } = before('invalid_credentials');
    expect([await reaches('a'), await reaches('a'), await reaches('b')]).toEqual([true, false, true]);
    await clock.advance(4_999);
    expect(await reaches('a')).toBe(false);
    await clock.advance(1);
    expect(await reaches('a')).toBe(true);
  });

  it('I3 · checks every time with a period of 0', async () => {
    const { reaches } = before('invalid_credentials', 0);
    expect([await reaches('a'), await reaches('a')]).toEqual([true, true]);
  });

  it('D3 · keeps nothing of an answer that is no rejection', async () => {
    const { reaches } = before('upstream_rate_limited');
    expect([await reaches('a'), await reaches('a')]).toEqual([true, true]);
  });

  it('I2 · shares one check between concurrent callers', async () => {
    const { cache, checks } = before('upstream_rate_limited');
    await Promise.allSettled(Array.from({ length: 10 }, () => cache.authenticate(presented('a'))));
    expect(checks()).toBe(1);
  });

  it('I2 · is bounded: a flood evicts other rejected credentials only', async () => {
    const { reaches } = before('invalid_credentials');
    await reaches('first');
    for (let i = 0; i < 1_000; i++) await reaches(`guess-${i}`);
    expect([await reaches('guess-999'), await reaches('first')]).toEqual([false, true]);
  });
});
