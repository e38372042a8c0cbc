import { XPayAuthError } from '../core/errors.js';
import { isAbsent } from '../core/json-object.js';

/**
 * Seconds on the wire as ms: JWT `exp` (RFC 7519 §2), `expires_in` (RFC 6749 §5.1), `timestamp`. A number as text counts,
 * because upstreams send it; an absent value, or `null`, stays `undefined`.
 *
 * Throws `upstream_malformed` for anything else. Whether the number makes sense as an expiry is not asked here.
 */
export function msFromSeconds(value: unknown, what: string): number | undefined {
  if (isAbsent(value)) return undefined;
  const seconds = typeof value === 'string' && /^-?\d{1,15}(?:\.\d+)?$/.test(value) ? Number(value) : value;
  if (typeof seconds === 'number') return seconds * 1_000;
  throw new XPayAuthError('upstream_malformed', `The upstream's ${what} is not a number of seconds`);
}
