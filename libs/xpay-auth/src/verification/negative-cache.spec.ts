import { describe, expect, it } from '@jest/globals';
import { KeyedDigest } from '../core/credentials.js';
import { XPayAuthError } from '../core/errors.js';
import { Instrumentation } from '../core/instrumentation.js';
import { unlimitedAttempts } from '../rate-limit/attempts.js';
import { ManualClock } from '../testing/emulators/manual-clock.js';
import { CredentialVerifier } from './credential-verifier.js';
import type { ReceivedCredentials } from './presented-credentials.js';
import { Revocations } from './upstream-check.js';

const presented = (username: string): ReceivedCredentials => ({
  scheme: 'Basic',
  credentials: { username, secretKey: 'k' },
  address: undefined,
});

/** In front of an upstream that fails every check with this code. */
function before(code: 'invalid_credentials' | 'upstream_rate_limited', refusedPeriodMs = 5_000) {
  const clock = new ManualClock();
  let checks = 0;
  const verifier = new CredentialVerifier({
    instance: 'default',
    issuer: Symbol('test'),
    clock,
    digest: new KeyedDigest(),
    policy: {
      periodMs: 60_000,
      refusedPeriodMs,
      maxEntries: 10,
      maxConcurrent: 8,
      maxQueued: 1_000,
      queueTimeoutMs: 5_000,
      staleIfErrorMs: 0,
      deadlineMs: 5_000,
    },
    scopeHierarchy: {},
    attempts: unlimitedAttempts,
    revocations: new Revocations(),
    audit: () => undefined,
    instrumentation: new Instrumentation(),
    authenticate: () => {
      checks++;
      return Promise.reject(new XPayAuthError(code, 'no'));
    },
  });
  /** Whether this request reached the upstream. */
  const reaches = async (username: string): Promise<boolean> => {
    const earlier = checks;
    await expect(verifier.verify(presented(username))).rejects.toMatchObject({ code });
    return checks > earlier;
  };
  return { clock, reaches, verifier, checks: () => checks };
}

describe('the negative cache', () => {
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
    const { clock, reaches } = before('upstream_rate_limited');
    expect(await reaches('a')).toBe(true);
    // After the cooldown of this username, and well before a rejection would be forgotten.
    await clock.advance(1_000);
    expect(await reaches('a')).toBe(true);
  });

  it('I2 · shares one check between concurrent callers', async () => {
    const { verifier, checks } = before('upstream_rate_limited');
    await Promise.allSettled(Array.from({ length: 10 }, () => verifier.verify(presented('a'))));
    expect(checks()).toBe(1);
  });

  it('I2 · is bounded: a flood evicts other rejected credentials only', async () => {
    const { reaches } = before('invalid_credentials');
    await reaches('first');
    for (let i = 0; i < 1_000; i++) await reaches(`guess-${i}`);
    expect([await reaches('guess-999'), await reaches('first')]).toEqual([false, true]);
  });
});
