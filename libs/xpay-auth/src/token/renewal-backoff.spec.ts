import { describe, expect, it } from '@jest/globals';
import { XPayAuthError } from '../core/errors.js';
import { RenewalBackoff } from './renewal-backoff.js';

const policy = { backoffMs: { min: 1_000, max: 30_000 }, rejectedRetryMs: { min: 1_000, max: 60_000 } };
const down = (retryAfterMs?: number) => new XPayAuthError('upstream_unavailable', 'down', { retryAfterMs });

/** Fails now, with an hour's token at hand. */
function fail(trouble: RenewalBackoff, error: XPayAuthError): number {
  trouble.failed(error);
  return trouble.rest({ error, mono: 0, tookMs: 0, usableForMs: 3_600_000 });
}

describe('what failed renewals leave behind', () => {
  it('O5 · longer pauses with every failure in a row, until a token comes', () => {
    const trouble = new RenewalBackoff(policy, () => 1);
    const pauses = [1, 2, 3, 4, 5, 6].map(() => fail(trouble, down()));
    expect(pauses).toEqual([2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
    expect([trouble.failures, trouble.lastError?.code]).toEqual([6, 'upstream_unavailable']);
    trouble.end();
    expect([trouble.failures, trouble.lastError, trouble.objection(0)]).toEqual([0, undefined, undefined]);
    expect(fail(trouble, down())).toBe(2_000);
  });

  it('O13 · a pause that the upstream asked for outlives a request to refresh now, our own does not', () => {
    const [ours, theirs] = [new RenewalBackoff(policy, () => 1), new RenewalBackoff(policy, () => 1)];
    fail(ours, down());
    fail(theirs, down(20_000));
    for (const trouble of [ours, theirs]) trouble.endBackoff();
    expect([ours.objection(0), theirs.objection(5_000)?.retryAfterMs]).toEqual([undefined, 15_000]);
    expect([theirs.quietUntil, theirs.objection(20_000)]).toEqual([20_000, undefined]);
  });

  it('O5 · an attempt that was held back is no further failure', () => {
    const trouble = new RenewalBackoff(policy, () => 1);
    fail(trouble, down());
    trouble.heldBack(new XPayAuthError('credentials_rejected', 'refused before'));
    expect([trouble.failures, trouble.lastError?.code]).toEqual([1, 'credentials_rejected']);
  });
});
