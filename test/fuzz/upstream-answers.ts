import fc from 'fast-check';
import type { Upstream, UpstreamAnswer } from 'nestjs-xpay-auth';
import { nearlyJson } from './nearly-json.js';

const NOW = Date.UTC(2026, 0, 1);

const status = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(200, 201, 204) },
  { weight: 2, arbitrary: fc.constantFrom(301, 307, 400, 401, 403, 404, 408, 422, 429, 500, 502, 503, 504, 599) },
  { weight: 1, arbitrary: fc.integer({ min: 200, max: 599 }) },
);

/** Values of `Retry-After` and `Date`, most of them close to one that RFC 9110 allows. */
export const timeText: fc.Arbitrary<string> = fc.oneof(
  fc.nat().map(String),
  fc.date({ noInvalidDate: true }).map((date) => date.toUTCString()),
  fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
  fc
    .tuple(fc.constantFrom('-', '+', '0x', ' ', 'in ', '1e', '.'), fc.nat())
    .map(([odd, seconds]) => odd + String(seconds)),
  fc.constantFrom('', '0', '1.5', 'soon', '2026', 'Thu, 32 Jan 2026 00:00:00 GMT', '9'.repeat(400), '1 (comment)'),
  fc.string({ maxLength: 60 }),
);

/** A response of an upstream whose body is mostly nearly valid. */
export function answers(right: fc.Arbitrary<unknown>): fc.Arbitrary<UpstreamAnswer> {
  return fc
    .record({
      status,
      text: nearlyJson(right),
      upstreamNow: fc.option(fc.integer({ min: NOW - 1e10, max: NOW + 1e10 }), { nil: undefined }),
      retryAfter: fc.option(timeText, { nil: undefined }),
    })
    .map(({ retryAfter, ...answer }) => ({
      ...answer,
      receivedAt: NOW,
      header: (name) => (name.toLowerCase() === 'retry-after' ? retryAfter : undefined),
    }));
}

/** An upstream that responds to everything with this. */
export function upstreamOf(answer: UpstreamAnswer): Upstream {
  return { send: () => Promise.resolve(answer) };
}
