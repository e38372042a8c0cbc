import { type UpstreamReference, XPayAuthError } from '../core/errors.js';
import type { UpstreamAnswer } from '../core/ports.js';
import { parseHttpDate } from './http-date.js';

/**
 * No usable answer came. Of an axios error, which carries the whole request, only the code is kept: it is Node's or axios'
 * own word for the reason.
 */
export function transportFailure(thrown: unknown, origin = 'The upstream'): XPayAuthError {
  const { code, message } = thrown instanceof Error ? (thrown as NodeJS.ErrnoException) : {};
  const cause = code === undefined ? undefined : Object.assign(new Error(code), { code });
  if (message?.startsWith('maxContentLength') === true) {
    return new XPayAuthError('upstream_malformed', 'The answer is larger than http.maxResponseBytes', { cause });
  }
  switch (code) {
    case 'ECONNABORTED':
    case 'ETIMEDOUT':
      return new XPayAuthError('upstream_timeout', `${origin} did not answer in time`, { cause });
    case 'ERR_CANCELED':
      return new XPayAuthError('upstream_timeout', 'The request to the upstream was given up', { cause });
    default:
      if (code?.startsWith('HPE_') === true) {
        return new XPayAuthError('upstream_malformed', 'The upstream did not answer in HTTP', { cause });
      }
      // zlib's own codes, and what Node makes of Brotli's.
      if (code !== undefined && /^(?:Z_|ERR__ERROR_)/.test(code)) {
        return new XPayAuthError('upstream_malformed', 'The answer is not compressed in the way it says', { cause });
      }
      return new XPayAuthError('upstream_unavailable', `${origin} cannot be reached (${code ?? 'no reason given'})`, {
        cause,
      });
  }
}

/** What an answer means that the dialect cannot read: 429 and 5xx say it by their status, the rest is malformed. */
export function unreadable(answer: UpstreamAnswer, expected: string, reference?: UpstreamReference): XPayAuthError {
  const retryAfterMs = retryAfter(answer);
  if (answer.status === 429) {
    return new XPayAuthError('upstream_rate_limited', 'The upstream answered 429: too many requests', {
      retryAfterMs,
      reference,
    });
  }
  if (answer.status >= 500) {
    return new XPayAuthError('upstream_unavailable', `The upstream answered ${answer.status}`, {
      retryAfterMs,
      reference,
    });
  }
  return new XPayAuthError('upstream_malformed', `The upstream answered ${answer.status} without ${expected}`, {
    reference,
  });
}

/**
 * `Retry-After` in ms from now: delta-seconds or an HTTP date (RFC 9110 §10.2.3). `undefined` for anything else, and
 * without one.
 */
export function retryAfter(answer: UpstreamAnswer): number | undefined {
  const value = answer.header('retry-after')?.trim();
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1_000;
  const at = parseHttpDate(value);
  return at === undefined ? undefined : Math.max(0, at - (answer.upstreamNow ?? answer.receivedAt));
}
