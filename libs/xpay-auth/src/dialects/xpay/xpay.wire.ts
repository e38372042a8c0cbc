import { AccessToken } from '../../core/access-token.js';
import { XPayAuthError, type UpstreamReference } from '../../core/errors.js';
import type { Grant, UpstreamAnswer } from '../../core/ports.js';
import { isName, isObject, isToken, jsonObject } from '../../http/body.js';
import { unreadable } from '../../http/failure.js';
import { upstreamWords } from '../../http/upstream-words.js';

/** xPay.stream's `error` object (https://docs.xpay.stream/authentication-api): there is no code, only words. */
export interface XPayError {
  /** As it came, of any length, and it may repeat what was sent: compare it, do not log it. Empty when there is none. */
  readonly message: string;
  readonly data: unknown;
}

/** xPay.stream's envelope: `success` or `error`, told apart by which key is there, whatever the HTTP status. */
export type XPayEnvelope = { readonly reference: UpstreamReference } & (
  { readonly kind: 'success'; readonly data: unknown } | { readonly kind: 'error'; readonly error: XPayError }
);

/** Throws `upstream_malformed`, or by status `upstream_rate_limited` or `upstream_unavailable`, for what is no envelope. */
export function decodeEnvelope(answer: UpstreamAnswer): XPayEnvelope {
  const body = jsonObject(answer);
  const { success, error } = body ?? {};
  if (isObject(error) && success === undefined) {
    return {
      kind: 'error',
      error: { message: typeof error['message'] === 'string' ? error['message'].trim() : '', data: error['data'] },
      reference: referenceOf(body?.['uuid'], error['tag']),
    };
  }
  if (isObject(success) && error === undefined && answer.status < 300) {
    // The vendor's page shows `uuid` in both places: at the top level and inside `success`.
    return { kind: 'success', data: success['data'], reference: referenceOf(body?.['uuid'] ?? success['uuid']) };
  }
  throw unreadable(answer, 'an envelope of `success` or `error`');
}

/** What `POST /client/authenticate` grants. Throws `upstream_malformed` for everything else. */
export function decodeGrant(answer: UpstreamAnswer, data: unknown, reference: UpstreamReference): Grant {
  const { user, access_token: token, expiresAt, success } = isObject(data) ? data : {};
  const { username, scopes = [], isAPI } = isObject(user) ? user : {};
  const usable =
    success !== false &&
    isToken(token) &&
    isName(username) &&
    Array.isArray(scopes) &&
    scopes.every((scope) => typeof scope === 'string') &&
    (expiresAt === undefined || expiresAt === null || typeof expiresAt === 'number');
  if (!usable) {
    throw new XPayAuthError(
      'upstream_malformed',
      'The upstream accepted the credentials but granted nothing readable',
      {
        reference,
      },
    );
  }
  return {
    accessToken: new AccessToken(token, { expiresAt: expiresAt ?? undefined, scopes }),
    username,
    scopes,
    isAPI: isAPI === true,
    upstreamNow: answer.upstreamNow,
    reference,
  };
}

/** `upstream_business_error` in the upstream's own words, cut short, without the secret they may repeat. */
export function businessError(error: XPayError, reference: UpstreamReference, secret: string): XPayAuthError {
  const words = upstreamWords(error.message, [secret]) ?? 'an error';
  return new XPayAuthError('upstream_business_error', `The upstream reported: ${words}`, { reference });
}

const UUID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i;

/** Both are documented as UUIDs. Anything else in their place may be anything, and a reference is written to logs. */
function referenceOf(uuid: unknown, tag?: unknown): UpstreamReference {
  return { ...(isUuid(uuid) && { uuid }), ...(isUuid(tag) && { tag }) };
}

function isUuid(value: unknown): value is string {
  return typeof value === 'string' && UUID.test(value);
}
