import { describe, expect, it } from '@jest/globals';
import { AccessToken, callerText, KeyedDigest } from '../core/credentials.js';
import { XPayAuthError } from '../core/errors.js';
import { Instrumentation } from '../core/instrumentation.js';
import type { Grant } from '../core/ports.js';
import { ManualClock } from '../testing/emulators/manual-clock.js';
import { unlimitedAttempts } from '../rate-limit/attempts.js';
import { CredentialVerifier, type CredentialVerifierParts } from './credential-verifier.js';
import type { ReceivedCredentials } from './presented-credentials.js';
import { Revocations } from './upstream-check.js';

const policy = {
  periodMs: 60_000,
  refusedPeriodMs: 5_000,
  maxEntries: 10,
  maxConcurrent: 8,
  maxQueued: 1_000,
  queueTimeoutMs: 5_000,
  staleIfErrorMs: 0,
  deadlineMs: 5_000,
};
const grant = (username: string): Grant => ({ accessToken: new AccessToken('t'), username, scopes: [], isAPI: true });
const present = (username: string, secretKey: string): ReceivedCredentials => ({
  scheme: 'Basic',
  credentials: { username, secretKey },
  address: undefined,
});

function verifierOf(parts: Partial<CredentialVerifierParts>) {
  const clock = new ManualClock();
  const digest = new KeyedDigest();
  const verifier = new CredentialVerifier({
    instance: 'default',
    issuer: Symbol('test'),
    clock,
    digest,
    policy,
    scopeHierarchy: {},
    authenticate: ({ username }) => Promise.resolve(grant(username)),
    attempts: unlimitedAttempts,
    instrumentation: new Instrumentation(),
    revocations: new Revocations(),
    audit: () => undefined,
    ...parts,
  });
  const keyOf = ({ credentials }: ReceivedCredentials) => digest.of(callerText(credentials));
  return { verifier, clock, recall: (who: ReceivedCredentials) => verifier.recall(keyOf(who), clock.monotonic()) };
}

describe('the credential verifier', () => {
  it('B7 · the reader judges the age: a shorter period holds for what was written under a longer one', async () => {
    const changing = { ...policy };
    const { verifier, clock, recall } = verifierOf({ policy: changing });
    await verifier.verify(present('ada', 'k'));
    await clock.advance(10_000);
    expect(recall(present('ada', 'k'))).toBeDefined();
    changing.periodMs = 10_000;
    expect(recall(present('ada', 'k'))).toBeUndefined();
  });

  it('I4 · a late acceptance of the old key does not replace the new one', async () => {
    const answers = new Map<string, () => void>();
    const { verifier, clock, recall } = verifierOf({
      authenticate: ({ username, secretKey }) =>
        new Promise((resolve) => answers.set(secretKey, () => resolve(grant(username)))),
    });
    const old = verifier.verify(present('ada', 'old'));
    await clock.advance(10);
    const renewed = verifier.verify(present('ada', 'new'));
    await clock.advance(10);
    answers.get('new')?.();
    await renewed;
    answers.get('old')?.();
    await old;
    expect(recall(present('ada', 'new'))).toBeDefined();
    expect(recall(present('ada', 'old'))).toBeUndefined();
  });

  it('I6 · a foreign error of a dialect counts as its failure, without the properties of the error', async () => {
    const secretCarrier = Object.assign(new Error('boom'), { config: { data: 'a-secret-key' } });
    const { verifier } = verifierOf({ authenticate: () => Promise.reject(secretCarrier) });
    const failure = (await verifier.verify(present('ada', 'k')).catch((thrown: unknown) => thrown)) as XPayAuthError;
    expect(failure).toMatchObject({ code: 'upstream_malformed', status: 502 });
    expect(JSON.stringify([failure, failure.cause, Object.entries(failure.cause as Error)])).not.toContain(
      'a-secret-key',
    );
  });

  it('I6 · a dialect that never settles is given up at the deadline, however deaf it is', async () => {
    const { verifier, clock } = verifierOf({ authenticate: () => new Promise(() => undefined) });
    const late = verifier.verify(present('ada', 'k')).catch((thrown: unknown) => thrown);
    await clock.advance(4_999);
    expect(clock.pendingTimers).toBe(1);
    await clock.advance(1);
    expect(await late).toMatchObject({ code: 'upstream_timeout' });
    expect(clock.pendingTimers).toBe(0);
  });

  it('I2 · hundreds of checks at once share no listener, and all end with the app', async () => {
    const warnings: unknown[] = [];
    process.on('warning', (warning) => warnings.push(warning));
    const wide = { ...policy, maxConcurrent: 500 };
    const { verifier, clock } = verifierOf({ policy: wide, authenticate: () => new Promise(() => undefined) });
    const codes = Promise.all(
      Array.from({ length: 300 }, async (_, i) => {
        const failure: unknown = await verifier.verify(present(`user-${i}`, 'k')).catch((thrown: unknown) => thrown);
        return (failure as XPayAuthError).code;
      }),
    );
    await clock.advance(0);
    verifier.stop();
    expect(new Set(await codes)).toEqual(new Set(['shutting_down']));
    expect(clock.pendingTimers).toBe(0);
    await expect(verifier.verify(present('late', 'k'))).rejects.toThrow(XPayAuthError);
    expect(warnings).toEqual([]);
  });

  it('I2 · a refusal for a login is not one for a request: some upstreams tell people and machines apart', async () => {
    const { verifier } = verifierOf({
      authenticate: ({ username }, purpose) =>
        purpose === 'login'
          ? Promise.reject(new XPayAuthError('invalid_credentials', 'no login for machines'))
          : Promise.resolve(grant(username)),
    });
    await expect(verifier.login(present('robot', 'k'))).rejects.toMatchObject({ code: 'invalid_credentials' });
    expect((await verifier.verify(present('robot', 'k'))).username).toBe('robot');
  });

  it('I8 · ill-formed text never meets what it would be encoded as', async () => {
    const { verifier } = verifierOf({});
    await verifier.verify(present('a\ufffd', 'k'));
    await expect(verifier.verify(present('a\ud800', 'k'))).rejects.toMatchObject({ code: 'invalid_request' });
  });
});
