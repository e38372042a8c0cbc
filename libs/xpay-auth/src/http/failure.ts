import type { Credentials } from '../core/credentials.js';
import { type UpstreamReference, XPayAuthError, type XPayAuthErrorCode } from '../core/errors.js';
import type { UpstreamAnswer } from '../core/ports.js';
import { parseHttpDate } from '../core/decoders.js';
import { RESPONSE_TOO_LARGE } from './transport.js';

/**
 * Returns the failure of a request without a usable answer. Of the transport's error, only the code is kept. The code is Node's
 * name of the cause, or the transport's.
 */
export function transportFailure(thrown: unknown, origin = 'The upstream'): XPayAuthError {
  const { code } = thrown instanceof Error ? (thrown as NodeJS.ErrnoException) : {};
  const cause = code === undefined ? undefined : Object.assign(new Error(code), { code });
  return new XPayAuthError(...meaningOf(code ?? '', origin), { cause });
}

function meaningOf(code: string, origin: string): [XPayAuthErrorCode, string] {
  if (code === RESPONSE_TOO_LARGE) {
    return ['upstream_malformed', 'The answer is larger than http.maxResponseBytes'];
  }
  if (code === 'ECONNABORTED' || code === 'ETIMEDOUT') return ['upstream_timeout', `${origin} did not answer in time`];
  if (code === 'ERR_CANCELED') return ['upstream_timeout', 'The request to the upstream was cancelled'];
  if (code.startsWith('HPE_')) return ['upstream_malformed', 'The upstream did not answer in HTTP'];
  // The codes of zlib, and Node's names of Brotli's codes.
  if (/^(?:Z_|ERR__ERROR_)/.test(code)) {
    return ['upstream_malformed', 'The compression of the answer differs from its Content-Encoding'];
  }
  const next = 'Check baseUrl (XPAY_BASE_URL) and the network';
  return ['upstream_unavailable', `${origin} cannot be reached (${code || 'no reason given'}). ${next}`];
}

/**
 * Returns the failure for an answer that the dialect cannot read: `upstream_rate_limited` for 429, `upstream_unavailable` for
 * 5xx, and otherwise `upstream_malformed`.
 */
export function unreadable(answer: UpstreamAnswer, expected: string, reference?: UpstreamReference): XPayAuthError {
  const { status } = answer;
  if (status !== 429 && status < 500) {
    const message = `The upstream answered ${status} without ${expected}`;
    return new XPayAuthError('upstream_malformed', message, { reference });
  }
  const retryAfterMs = retryAfter(answer);
  return status === 429
    ? new XPayAuthError('upstream_rate_limited', 'The upstream answered 429: too many requests', {
        retryAfterMs,
        reference,
      })
    : new XPayAuthError('upstream_unavailable', `The upstream answered ${status}`, { retryAfterMs, reference });
}

/**
 * Returns the `Retry-After` of an answer in ms from now, given as delta-seconds or as an HTTP date (RFC 9110 §10.2.3). Returns
 * `undefined` if the header is missing or invalid.
 */
export function retryAfter(answer: UpstreamAnswer): number | undefined {
  const value = answer.header('retry-after')?.trim();
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1_000;
  const at = parseHttpDate(value);
  return at === undefined ? undefined : Math.max(0, at - (answer.upstreamNow ?? answer.receivedAt));
}

/**
 * Throws `invalid_credentials` for an empty username or secret, without a call of the upstream. Some upstreams would treat such a
 * login as a malformed request.
 */
export function refuseEmpty({ username, secretKey }: Credentials): void {
  if (username !== '' && secretKey !== '') return;
  throw new XPayAuthError('invalid_credentials', 'The user name or the secret is empty');
}

/**
 * Returns the failure for credentials that the upstream rejected. The message never contains the upstream's text, because an
 * upstream may repeat a password in any spelling.
 */
export function rejectedCredentials(reference?: UpstreamReference): XPayAuthError {
  return new XPayAuthError('invalid_credentials', 'The upstream refused the credentials', { reference });
}

/**
 * Whether an answer to a refresh rejects the refresh token, so that a full login follows. Any 4xx does, except 408 and 429, which
 * are temporary failures.
 */
export function refusesRenewal({ status }: UpstreamAnswer): boolean {
  return status >= 400 && status < 500 && status !== 408 && status !== 429;
}

/** Returns the failure for an answer to a refresh that contains no grant. */
export function renewalFailure(answer: UpstreamAnswer): XPayAuthError {
  return refusesRenewal(answer)
    ? new XPayAuthError('invalid_token', 'The upstream refused the refresh token')
    : unreadable(answer, 'an access token');
}

/**
 * Returns the `upstream_business_error` of an API call. The message contains the upstream's text if {@link upstreamWords} allows
 * it.
 */
export function reportedError(
  words: unknown,
  token: string,
  { prefix = 'The upstream reported', reference }: { prefix?: string; reference?: UpstreamReference } = {},
): XPayAuthError {
  const message = `${prefix}: ${upstreamWords(words, [token]) ?? 'an error'}`;
  return new XPayAuthError('upstream_business_error', message, { reference });
}

/**
 * Matches a JWT, or a run of characters that is too long for a word. Such a text is not quoted, because an upstream may repeat a
 * part of a token.
 */
const TOKEN_LIKE = /\beyJ[\w-]{8,}|[\w+/=-]{40,}/;

/** Number of consecutive characters of a secret that count as a part of the secret. Fewer equal characters may be a coincidence. */
const PART_LENGTH = 8;

/** Maximum number of characters that are quoted. */
const QUOTED = 200;

/**
 * Maximum number of characters that are searched for secrets. It is greater than {@link QUOTED}, so that a secret is also found
 * if the end of the quotation cuts it off.
 */
const SEARCHED = 1_000;

/**
 * Returns the upstream's text about an API call for the operator's log, as one line of at most 200 characters. Returns
 * `undefined` if there is no text, or if the text contains something that looks like a token. Also returns `undefined` if the
 * text contains 8 consecutive characters of one of the secrets (or all characters of a shorter secret), in any case of letters
 * and any encoding used in the request.
 *
 * Do not use this function for the answer to a login, because the upstream can write a password in more ways than can be searched
 * for.
 */
export function upstreamWords(words: unknown, secrets: readonly string[]): string | undefined {
  const line = typeof words === 'string' ? words.replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ').trim() : '';
  if (line === '') return undefined;
  const searched = line.slice(0, SEARCHED);
  const repeated = secrets.some((secret) => spellings(secret).some((spelling) => repeats(searched, spelling)));
  return repeated || TOKEN_LIKE.test(line) ? undefined : line.slice(0, QUOTED);
}

function repeats(words: string, spelling: string): boolean {
  const length = Math.min(PART_LENGTH, spelling.length);
  const runs = new Set(runsOf(spelling.toLowerCase(), length));
  return runsOf(words.toLowerCase(), length).some((run) => runs.has(run));
}

function runsOf(text: string, length: number): string[] {
  return Array.from({ length: Math.max(0, text.length - length + 1) }, (_, at) => text.slice(at, at + length));
}

function spellings(secret: string): string[] {
  if (secret === '') return [];
  return [
    secret,
    encodeURIComponent(secret),
    new URLSearchParams({ '': secret }).toString().slice(1),
    JSON.stringify(secret).slice(1, -1),
    Buffer.from(secret).toString('base64'),
    Buffer.from(secret).toString('base64url'),
    Buffer.from(secret).toString('hex'),
  ];
}
