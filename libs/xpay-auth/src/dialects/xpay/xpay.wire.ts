import { AccessToken } from '../../core/credentials.js';
import { XPayAuthError, type UpstreamReference } from '../../core/errors.js';
import type { ApiData, Grant, UpstreamAnswer } from '../../core/ports.js';
import { isAbsent, isName, isObject, isScopeList, isToken, jsonObject } from '../../core/decoders.js';
import { unreadable } from '../../http/failure.js';

/** xPay.stream's `error` object (https://docs.xpay.stream/authentication-api). It has no code, only a message. */
export interface XPayError {
  /** The received text, of any length; empty if there is none. Do not log the text, because it may repeat the request. */
  readonly message: string;
  /** Further data; `{ invalid: true }` for wrong credentials. */
  readonly data: unknown;
}

/**
 * xPay.stream's envelope: either `success` or `error` has a value, with any HTTP status except 429 and 5xx. The vendor's
 * samples test whether `success` and `error` are truthy (https://docs.xpay.stream/authentication-api), so `null` counts as no
 * value. The `success` object (https://docs.xpay.stream/prerequisites) is not checked. Its text varies between calls and has no
 * documented values. `meta` has its fields other than `data`, `message` and `uuid`, such as `nextPage` of a list.
 */
export type XPayEnvelope = { readonly reference: UpstreamReference } & (
  ({ readonly kind: 'success' } & Omit<ApiData, 'kind'>) | { readonly kind: 'error'; readonly error: XPayError }
);

/**
 * Returns the envelope of an answer. Throws `upstream_rate_limited` for a 429 and `upstream_unavailable` from 500 on, even if
 * there is an envelope, and `upstream_malformed` for an answer without an envelope.
 */
export function decodeEnvelope(answer: UpstreamAnswer): XPayEnvelope {
  const body = jsonObject(answer);
  const { success, error } = body ?? {};
  if (isObject(error) && isAbsent(success)) {
    const reference = referenceOf(body?.['uuid'], error['tag']);
    // An answer with this status comes from a busy or broken server. Its error does not concern the credentials, even if the
    // message says so.
    if (answer.status === 429 || answer.status >= 500) throw unreadable(answer, 'an envelope', reference);
    return {
      kind: 'error',
      error: { message: typeof error['message'] === 'string' ? error['message'].trim() : '', data: error['data'] },
      reference,
    };
  }
  if (isObject(success) && isAbsent(error) && answer.status < 300) {
    // The vendor's page shows `uuid` in both places: at the top level and inside `success`.
    const { data, message, uuid, ...meta } = success;
    const reference = referenceOf(body?.['uuid'] ?? uuid);
    return { kind: 'success', data, ...(typeof message === 'string' && { message }), meta, reference };
  }
  throw unreadable(answer, 'an envelope of `success` or `error`');
}

/** Returns the grant of `POST /client/authenticate`. Throws `upstream_malformed` for everything else. */
export function decodeGrant(answer: UpstreamAnswer, data: unknown, reference: UpstreamReference): Grant {
  const { user, access_token: token, expiresAt, success } = isObject(data) ? data : {};
  const { username, isAPI, ...granted } = isObject(user) ? user : {};
  const scopes = granted['scopes'] ?? [];
  const usable =
    (isAbsent(success) || success === true) &&
    isToken(token) &&
    isName(username) &&
    isScopeList(scopes) &&
    (isAbsent(expiresAt) || typeof expiresAt === 'number');
  if (!usable) {
    const message = 'The upstream accepted the credentials, but its grant cannot be read';
    throw new XPayAuthError('upstream_malformed', message, { reference });
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

const UUID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i;

/** `uuid` and `tag` are documented as UUIDs. Other values are dropped, because a reference is written to logs. */
function referenceOf(uuid: unknown, tag?: unknown): UpstreamReference {
  return { ...(isUuid(uuid) && { uuid }), ...(isUuid(tag) && { tag }) };
}

function isUuid(value: unknown): value is string {
  return typeof value === 'string' && UUID.test(value);
}
