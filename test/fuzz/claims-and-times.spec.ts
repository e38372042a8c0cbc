import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { anyText } from '../support/any-text.js';
import { ManualClock } from 'nestjs-xpay-auth/testing';
import { type ExpiryFacts, clockSkew, lifeFromNow } from '../../libs/xpay-auth/src/core/lifetime.js';
import { claimsOf, msFromSeconds } from '../../libs/xpay-auth/src/core/decoders.js';
import { encodeForm } from '../../libs/xpay-auth/src/http/encode.js';
import { retryAfter } from '../../libs/xpay-auth/src/http/failure.js';
import { UpstreamClient } from '../../libs/xpay-auth/src/http/upstream-client.js';
import { holds, holdsInTime } from '../support/property.js';
import { oddValue } from './nearly-json.js';
import { outcomeOf } from './outcome.js';
import { jwt } from './right-answers.js';
import { timeText } from './upstream-answers.js';

const HTTP_DATE = /^[A-Z][a-z]+,? [\w -]+ \d\d:\d\d:\d\d( \d{4}| GMT)$/;
const DECADES_MS = 100 * 366 * 86_400_000;
const anyNumber = fc.oneof(fc.double(), fc.integer(), fc.constantFrom(NaN, Infinity, -Infinity, 0, -0, 2 ** 53));

describe('the claims of any token', () => {
  it('are an object or absent', () => {
    holds(
      fc.property(fc.oneof(jwt, anyText()), (token) => {
        const claims = claimsOf(token);
        expect(claims === undefined || (typeof claims === 'object' && !Array.isArray(claims))).toBe(true);
      }),
    );
  });

  it('O12 · have a time in seconds, none, or are upstream_malformed', () => {
    holds(
      fc.property(oddValue, (value) => {
        const outcome = outcomeOf(() => msFromSeconds(value, 'exp'));
        if ('code' in outcome) expect(outcome.code).toBe('upstream_malformed');
        else expect(outcome.value === undefined || typeof outcome.value === 'number').toBe(true);
      }),
    );
  });

  it('O12 · give a lifetime of at most 100 years from now, none, or are upstream_malformed', () => {
    const facts: fc.Arbitrary<ExpiryFacts> = fc.record(
      { expiresAt: anyNumber, lifeMs: anyNumber, upstreamNow: anyNumber, elapsedMs: fc.nat() },
      { requiredKeys: [] },
    );
    holds(
      fc.property(facts, fc.integer({ min: 0, max: 4e12 }), (given, wall) => {
        const outcome = outcomeOf(() => lifeFromNow(given, wall));
        if ('code' in outcome) return expect(outcome.code).toBe('upstream_malformed');
        const { value = 1 } = outcome;
        expect(value > 0 && value <= DECADES_MS).toBe(true);
        expect(clockSkew(given, wall)).not.toBe(undefined);
      }),
    );
  });
});

describe('the headers of any response', () => {
  it('O13 · give a wait in whole seconds, a wait until an HTTP date, or none', async () => {
    const clock = new ManualClock();
    await holdsInTime(
      fc.asyncProperty(timeText, timeText, async (after, date) => {
        const headers = { 'retry-after': after, date };
        const transport = () => Promise.resolve({ status: 503, headers, body: Buffer.alloc(0) });
        const client = new UpstreamClient({
          transport,
          baseUrl: 'https://up.example.test',
          clock,
          timeoutMs: 5_000,
        });
        const answer = await client.send({ method: 'POST', path: '/login' });
        if (!HTTP_DATE.test(date)) expect(answer.upstreamNow).toBeUndefined();
        const waitMs = retryAfter(answer);
        if (waitMs === undefined) return;
        expect(/^\d{1,9}$/.test(after.trim()) || HTTP_DATE.test(after.trim())).toBe(true);
        expect(Number.isFinite(waitMs) && waitMs >= 0).toBe(true);
      }),
    );
  });
});

describe('a form with any fields', () => {
  it('contains all of them, or is a configuration error that quotes no value', () => {
    holds(
      fc.property(fc.dictionary(fc.string(), oddValue), (fields) => {
        const outcome = outcomeOf(() => encodeForm(fields));
        if ('code' in outcome) return expect(outcome.code).toBe('configuration');
        const said = Object.fromEntries(new URLSearchParams(outcome.value));
        const texts = Object.entries(fields).filter(([, value]) => typeof value === 'string');
        for (const [name, value] of texts) expect(said[name.toWellFormed()]).toBe((value as string).toWellFormed());
      }),
    );
  });
});
