import type { Credentials } from '../core/credentials.js';
import { type UpstreamReference, XPayAuthError, type XPayAuthErrorCode } from '../core/errors.js';
import type { UpstreamAnswer } from '../core/ports.js';
import { parseHttpDate } from '../core/decoders.js';
import { RESPONSE_TOO_LARGE } from './transport.js';

/**
 * The failure of a request without a usable answer. Of the error of a transport only the code is kept: it is Node's own name
 * for the reason, or that of the transport.
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
  if (code === 'ERR_CANCELED') return ['upstream_timeout', 'The request to the upstream was given up'];
  if (code.startsWith('HPE_')) return ['upstream_malformed', 'The upstream did not answer in HTTP'];
  // zlib's own codes, and Node's names for those of Brotli.
  if (/^(?:Z_|ERR__ERROR_)/.test(code)) {
    return ['upstream_malformed', 'The answer is not compressed in the way it says'];
  }
  const next = 'Check baseUrl (XPAY_BASE_URL) and the network';
  return ['upstream_unavailable', `${origin} cannot be reached (${code || 'no reason given'}). ${next}`];
}

/** Returns the failure for an answer that the dialect cannot read: by its status for 429 and 5xx, otherwise malformed. */
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

/**
 * Throws `invalid_credentials` for an empty username or secret. No upstream needs to be called for that, and some answer it
 * as a malformed request.
 */
export function refuseEmpty({ username, secretKey }: Credentials): void {
  if (username !== '' && secretKey !== '') return;
  throw new XPayAuthError('invalid_credentials', 'The user name or the secret is empty');
}

/** The upstream rejected the credentials. Never with its words: an upstream may repeat a password in any spelling. */
export function rejectedCredentials(reference?: UpstreamReference): XPayAuthError {
  return new XPayAuthError('invalid_credentials', 'The upstream refused the credentials', { reference });
}

/**
 * Whether an answer to a refresh rejects the refresh token, so that a full login is next: any 4xx but 408 and 429, which are
 * temporary.
 */
export function refusesRenewal({ status }: UpstreamAnswer): boolean {
  return status >= 400 && status < 500 && status !== 408 && status !== 429;
}

/** The failure of an answer to a refresh that grants nothing. */
export function renewalFailure(answer: UpstreamAnswer): XPayAuthError {
  return refusesRenewal(answer)
    ? new XPayAuthError('invalid_token', 'The upstream refused the refresh token')
    : unreadable(answer, 'an access token');
}

/** `upstream_business_error` of an API call, in the upstream's own words where {@link upstreamWords} allows them. */
export function reportedError(
  words: unknown,
  token: string,
  { prefix = 'The upstream reported', reference }: { prefix?: string; reference?: UpstreamReference } = {},
): XPayAuthError {
  const message = `${prefix}: ${upstreamWords(words, [token]) ?? 'an error'}`;
  return new XPayAuthError('upstream_business_error', message, { reference });
}

/** A JWT, or a run of letters too long for a word: an upstream may repeat a part of a token. */
const TOKEN_LIKE = /\beyJ[\w-]{8,}|[\w+/=-]{40,}/;

/** So many characters of a secret in a row are a part of it rather than a coincidence. */
const PART_LENGTH = 8;

/** Number of characters that are quoted. */
const QUOTED = 200;

/** Number of characters that are searched: more, so that a secret is found that the end of the quotation cuts. */
const SEARCHED = 1_000;

/**
 * Returns the upstream's own words about an API call for an operator's log: one line of at most 200 characters. `undefined`
 * when there are none, when they contain 8 characters in a row (or all, if there are fewer) of one of the secrets, in any case
 * of letters and any encoding used in the request, or when they contain text that looks like a token.
 *
 * Not for the answer to a login: a password can be written in more ways than can be searched for.
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
