import type { Fault } from './fault.js';
import { isRecord } from './wire-message.js';

type Fields = Record<string, unknown>;

/** Applies `change` to the whole body. */
function inBody(change: (body: unknown) => unknown): Fault {
  return { kind: 'transform', transform: change };
}

/** Applies `change` to `success.data` of a successful answer; any other answer stays as it is. */
function inData(change: (data: Fields) => Fields): Fault {
  return inBody((body) => {
    if (!isRecord(body) || !isRecord(body['success']) || !isRecord(body['success']['data'])) return body;
    return { ...body, success: { ...body['success'], data: change(body['success']['data']) } };
  });
}

/** Ready-made faults: answers of `/client/authenticate` that look like xPay.stream's and are broken in one place each. */
export const xpayMalformed = {
  /** `success` and `error` in one answer. */
  bothKeys: inBody((body) => ({
    ...(isRecord(body) && body),
    error: { message: 'invalid credentials', data: null },
  })),
  /** Neither `success` nor `error`. */
  noKeys: inBody((body) => ({ uuid: isRecord(body) ? body['uuid'] : undefined })),
  /** `success.data` is `null`, which is valid for other paths. */
  nullData: inBody((body) =>
    isRecord(body) && isRecord(body['success']) ? { ...body, success: { ...body['success'], data: null } } : body,
  ),
  /** `success.data.success` is `false`. */
  innerFalse: inData((data) => ({ ...data, success: false })),
  /** No `access_token`. */
  noToken: inData(({ access_token: _gone, ...data }) => data),
  /** No `user`. */
  noUser: inData(({ user: _gone, ...data }) => data),
  /** No `expiresAt`. */
  noExpiry: inData(({ expiresAt: _gone, ...data }) => data),
  /** `expiresAt` is a text that is not a time. */
  expiryIsText: inData((data) => ({ ...data, expiresAt: 'tomorrow' })),
  /** `expiresAt` in seconds where ms are documented. */
  expiryInSeconds: inData((data) => ({ ...data, expiresAt: Math.floor(Number(data['expiresAt']) / 1000) })),
  /** `expiresAt` in the past: 2001-09-09T01:46:40Z. */
  expiryInThePast: inData((data) => ({ ...data, expiresAt: 1_000_000_000_000 })),
} as const satisfies Record<string, Fault>;
