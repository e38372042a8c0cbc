import { describe, expect, it } from '@jest/globals';
import type { UpstreamAnswer } from '../core/ports.js';
import { refusesRenewal, retryAfter, transportFailure, unreadable } from './failure.js';

const NOW = Date.UTC(2026, 0, 1, 12, 0, 0);

const answer = (status: number, headers: Record<string, string> = {}, upstreamNow?: number): UpstreamAnswer => ({
  status,
  text: '',
  receivedAt: NOW,
  upstreamNow,
  header: (name) => headers[name],
});

const wait = (value: string, upstreamNow?: number) => retryAfter(answer(503, { 'retry-after': value }, upstreamNow));

describe('O13 · Retry-After', () => {
  it('is seconds', () => {
    expect(wait('0')).toBe(0);
    expect(wait('120')).toBe(120_000);
    expect(wait(' 7 ')).toBe(7_000);
  });

  it('is an HTTP date, counted from our clock where the upstream does not tell its own', () => {
    expect(wait('Thu, 01 Jan 2026 12:00:30 GMT')).toBe(30_000);
  });

  it("is an HTTP date, counted from the upstream's own clock where it tells it", () => {
    expect(wait('Thu, 01 Jan 2026 14:00:30 GMT', NOW + 7_200_000)).toBe(30_000);
  });

  it('is nothing to wait for once its date is over', () => {
    expect(wait('Thu, 01 Jan 2026 11:00:00 GMT')).toBe(0);
  });

  it.each(['', 'soon', 'NaN', '99999999999999999999'])('is not there when it says %p', (value) => {
    expect(wait(value)).toBeUndefined();
  });

  it('is not there when it is not sent', () => {
    expect(retryAfter(answer(503))).toBeUndefined();
  });
});

describe('an unreadable answer', () => {
  it.each([
    [429, 'upstream_rate_limited'],
    [500, 'upstream_unavailable'],
    [502, 'upstream_unavailable'],
    [503, 'upstream_unavailable'],
    [599, 'upstream_unavailable'],
    [200, 'upstream_malformed'],
    [204, 'upstream_malformed'],
    [307, 'upstream_malformed'],
    [400, 'upstream_malformed'],
    [401, 'upstream_malformed'],
    [404, 'upstream_malformed'],
    [422, 'upstream_malformed'],
  ])('with status %d is %s', (status, code) => {
    expect(unreadable(answer(status), 'an envelope')).toMatchObject({ code });
  });

  it('O13 · keeps when to come back, of 429 and of 5xx', () => {
    for (const status of [429, 503]) {
      expect(unreadable(answer(status, { 'retry-after': '3' }), 'x')).toMatchObject({ retryAfterMs: 3_000 });
    }
  });
});

describe('an answer to a refresh', () => {
  it('rejects the refresh token with any 4xx except 408 and 429, which are temporary', () => {
    const statuses = [200, 307, 399, 400, 401, 403, 407, 408, 409, 422, 428, 429, 430, 499, 500, 503];
    const rejecting = statuses.filter((status) => refusesRenewal(answer(status)));
    expect(rejecting).toEqual([400, 401, 403, 407, 409, 422, 428, 430, 499]);
  });
});

const thrown = (code: string | undefined, message = 'boom') =>
  Object.assign(new Error(message), code === undefined ? {} : { code });

describe('no answer at all', () => {
  it.each([
    ['ECONNREFUSED', 'upstream_unavailable'],
    ['ECONNRESET', 'upstream_unavailable'],
    ['ENOTFOUND', 'upstream_unavailable'],
    ['EAI_AGAIN', 'upstream_unavailable'],
    ['CERT_HAS_EXPIRED', 'upstream_unavailable'],
    ['ECONNABORTED', 'upstream_timeout'],
    ['ETIMEDOUT', 'upstream_timeout'],
    ['ERR_CANCELED', 'upstream_timeout'],
    ['HPE_INVALID_CONSTANT', 'upstream_malformed'],
    ['Z_DATA_ERROR', 'upstream_malformed'],
    ['ERR__ERROR_FORMAT_PADDING_1', 'upstream_malformed'],
    [undefined, 'upstream_unavailable'],
  ])('because of %s is %s', (code, expected) => {
    expect(transportFailure(thrown(code))).toMatchObject({ code: expected });
  });

  it('O17 · keeps only the code of a thrown error', () => {
    const failure = transportFailure(
      Object.assign(thrown('ECONNREFUSED', 'connect key-1'), { config: { data: 'key-1' }, request: { data: 'key-1' } }),
    );
    expect(failure.cause).toEqual(Object.assign(new Error('ECONNREFUSED'), { code: 'ECONNREFUSED' }));
    expect(Object.keys(failure.cause as object)).toEqual(['code']);
  });

  it('is understood whatever was thrown', () => {
    for (const value of [undefined, null, 'text', 5, {}]) {
      expect(transportFailure(value)).toMatchObject({ code: 'upstream_unavailable' });
    }
  });
});
