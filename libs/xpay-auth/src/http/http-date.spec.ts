import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { parseHttpDate } from './http-date.js';

describe('an HTTP date (RFC 9110 §5.6.7)', () => {
  it.each(['Sun, 06 Nov 1994 08:49:37 GMT', 'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994'])(
    'is read in each of the three forms: %s',
    (text) => expect(parseHttpDate(text)).toBe(784_111_777_000),
  );

  it('is what toUTCString writes, for any time that has four digits to its year', () => {
    const range = { min: new Date('0100-01-01T00:00:00Z'), max: new Date('9999-12-31T23:59:59Z'), noInvalidDate: true };
    fc.assert(
      fc.property(fc.date(range), (date) => {
        expect(parseHttpDate(date.toUTCString())).toBe(Math.floor(date.getTime() / 1_000) * 1_000);
      }),
    );
  });

  it.each([
    '',
    '0',
    '-1',
    '1.5',
    '2026',
    'soon 5',
    '1 (comment)',
    '2026-01-01T00:00:00Z',
    'Thu, 32 Jan 2026 00:00:00 GMT',
    'Thu, 01 Jan 2026 25:00:00 GMT',
    'Thu, 01 Jan 2026 00:00:00 +0500',
    'Thu, 01 Jan 2026 00:00:00 GMT, Thu, 01 Jan 2026 00:00:00 GMT',
  ])('is not %j', (text) => expect(parseHttpDate(text)).toBeUndefined());
});
