const DAY = '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)';
const MONTH = '(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)';
const TIME = '\\d{2}:\\d{2}:\\d{2}';

/** `Sun, 06 Nov 1994 08:49:37 GMT`, and the older `Sunday, 06-Nov-94 08:49:37 GMT`. */
const WITH_ZONE = new RegExp(
  `^(?:${DAY}, \\d{2} ${MONTH} \\d{4}|(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, \\d{2}-${MONTH}-\\d{2}) ${TIME} GMT$`,
);
/** `Sun Nov  6 08:49:37 1994`, as C's `asctime` writes it; in GMT, too. */
const ASCTIME = new RegExp(`^${DAY} ${MONTH} [ \\d]\\d ${TIME} \\d{4}$`);

/**
 * An HTTP date (RFC 9110 §5.6.7) in ms since the epoch; `undefined` for anything else. `Date.parse` alone would read a year
 * out of `0`, `-1` or `soon 5`, and a clock that is decades off makes a token of an hour live for decades.
 */
export function parseHttpDate(text: string): number | undefined {
  const zoned = WITH_ZONE.test(text) ? text : ASCTIME.test(text) ? `${text} GMT` : undefined;
  const at = zoned === undefined ? NaN : Date.parse(zoned);
  return Number.isNaN(at) ? undefined : at;
}
