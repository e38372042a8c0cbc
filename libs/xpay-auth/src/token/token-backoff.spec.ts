import { describe, expect, it } from '@jest/globals';
import { ManualClock } from 'nestjs-xpay-auth/testing';
import { AccessToken, SealedCredentials } from '../core/credentials.js';
import { XPayAuthError } from '../core/errors.js';
import { BackedOff } from '../async/backoff.js';
import { TokenBackoff } from './token-backoff.js';

const policy = { backoffMs: { min: 1_000, max: 30_000 }, rejectedRetryMs: { min: 1_000, max: 60_000 } };
const down = (retryAfterMs?: number) => new XPayAuthError('upstream_unavailable', 'down', { retryAfterMs });
const request = { current: undefined, usableForMs: () => 3_600_000, signal: new AbortController().signal };

/** A backoff with an hour's token at hand, over an upstream that fails with `failure`. */
function backoffOver(failure: XPayAuthError, clock = new ManualClock()): TokenBackoff {
  const account = { read: () => Promise.resolve(new SealedCredentials('app', 'key')) };
  const next = { deadlineMs: 10_000, obtain: () => Promise.reject(failure) };
  return new TokenBackoff({ clock, policy, random: () => 1 }, account, next);
}

const failureOf = (backoff: TokenBackoff): Promise<unknown> =>
  backoff.obtain(request).catch((thrown: unknown) => thrown);

describe('TokenBackoff', () => {
  it('O5 · backs off longer with every failure in a row, until a token comes', async () => {
    const backoff = backoffOver(down());
    const waits: unknown[] = [];
    for (let i = 0; i < 6; i++) waits.push(await failureOf(backoff));
    expect(waits).toMatchObject([2, 4, 8, 16, 30, 30].map((s) => ({ retryAfterMs: s * 1_000 })));
    expect([backoff.failures, backoff.lastError?.code]).toEqual([6, 'upstream_unavailable']);
    backoff.succeeded(new AccessToken('t'), false);
    expect([backoff.failures, backoff.lastError, backoff.standing()]).toEqual([0, undefined, undefined]);
    expect(await failureOf(backoff)).toMatchObject({ retryAfterMs: 2_000 });
  });

  it('O13 · refresh() ends our own backoff, and not the one that the upstream asked for', async () => {
    const clock = new ManualClock();
    const [ours, theirs] = [backoffOver(down(), clock), backoffOver(down(20_000), clock)];
    await Promise.all([failureOf(ours), failureOf(theirs)]);
    for (const backoff of [ours, theirs]) backoff.endOwnBackoff();
    const until = clock.monotonic() + 20_000;
    await clock.advance(5_000);
    expect([ours.standing(), theirs.standing()?.retryAfterMs, theirs.until]).toEqual([undefined, 15_000, until]);
    await clock.advance(15_000);
    expect(theirs.standing()).toBeUndefined();
  });

  it('O5 · does not count an attempt that was not made', async () => {
    const backoff = backoffOver(new XPayAuthError('invalid_credentials', 'no'));
    expect(await failureOf(backoff)).toMatchObject({ code: 'credentials_rejected', retryAfterMs: 1_000 });
    expect(await failureOf(backoff)).toBeInstanceOf(BackedOff);
    expect([backoff.failures, backoff.lastError?.code]).toEqual([1, 'credentials_rejected']);
  });
});
