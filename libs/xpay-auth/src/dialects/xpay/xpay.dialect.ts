import { randomUUID } from 'node:crypto';
import { XPayAuthError } from '../../core/errors.js';
import type { ApiLanguage, Dialect, Purpose } from '../../core/ports.js';
import { isObject } from '../../core/decoders.js';
import { encodeJson } from '../../http/encode.js';
import { rejectedCredentials, reportedError } from '../../http/failure.js';
import { type TokenRejectionOptions, bearerRequest, isUnauthorized } from '../bearer-api.js';
import { xPayPaging } from './xpay.paging.js';
import { decodeEnvelope, decodeGrant, type XPayError } from './xpay.wire.js';

/** Options of the dialect {@link xPay}. */
export interface XPayDialectOptions extends TokenRejectionOptions {
  /**
   * The value of `isAPI` in logins at xPay.stream: one for all purposes, or one for each. @default true
   */
  isAPI?: boolean | Partial<Record<Purpose, boolean>>;
  /**
   * Returns whether the `error` of a login means that the credentials are wrong. An error with `error.data.invalid === true`
   * always does.
   * @default the message `invalid credentials`
   */
  isRefusal?: (error: XPayError) => boolean;
  /**
   * Messages by which a 200 with `error` rejects the token. The whole message must be equal. xPay moves crypto tokens, so a
   * message that merely mentions a token does not count.
   * @default ['invalid token', 'token expired']
   */
  tokenRejections?: readonly string[];
  /**
   * Returns whether the calls of a path only read data. After a 200 that rejected the token, only these calls are repeated.
   * @default paths that end in `/find`, `/view` or `/preview`
   */
  isReadOnly?: (path: string) => boolean;
}

/**
 * The dialect of xPay.stream. A login is `POST /client/authenticate` with a user name and a secret key. Its API accepts JSON
 * by POST, with a bearer token. xPay.stream answers 200 to a wrong key, issues no refresh tokens, and signs its tokens with a
 * key that it does not share.
 *
 * Source: https://docs.xpay.stream/authentication-api and https://docs.xpay.stream/prerequisites
 */
export function xPay(options: XPayDialectOptions = {}): Dialect {
  const isRefusal = options.isRefusal ?? (({ message }) => message.toLowerCase() === 'invalid credentials');
  return {
    name: 'xpay',
    defaultBaseUrl: 'https://apis.xpay.stream',

    async authenticate({ username, secretKey }, upstream, purpose) {
      const answer = await upstream.send({
        method: 'POST',
        path: '/client/authenticate',
        headers: { 'content-type': 'application/json', uuid: randomUUID() },
        body: JSON.stringify({ username, secretKey, isAPI: isAPI(options.isAPI, purpose) }),
      });
      const envelope = decodeEnvelope(answer);
      if (envelope.kind === 'success') return decodeGrant(answer, envelope.data, envelope.reference);
      const { error, reference } = envelope;
      const isInvalid = isObject(error.data) && error.data['invalid'] === true;
      if (isInvalid || isRefusal(error)) throw rejectedCredentials(reference);
      // The message of the error does not contain the upstream's text, because that text may contain the key in another spelling.
      const message = 'The upstream reported an error that is not a refusal';
      throw new XPayAuthError('upstream_business_error', message, { reference });
    },

    api: xPayApi(options),
  };
}

function xPayApi(options: XPayDialectOptions): ApiLanguage {
  const isTokenRejected = options.isTokenRejected ?? isUnauthorized;
  const rejections = options.tokenRejections ?? ['invalid token', 'token expired'];
  const isReadOnly = options.isReadOnly ?? ((path) => /\/(?:find|view|preview)$/.test(path));
  return {
    encode(call, token) {
      const headers = { 'content-type': 'application/json', uuid: call.uuid };
      return bearerRequest({ ...call, body: call.body === undefined ? {} : call.body }, token, headers, encodeJson);
    },

    decode(answer, call, token) {
      // The query is ignored, because `…/confirm?back=/find` is a payment.
      const isRead = (): boolean => isReadOnly(call.path.replace(/[?#].*$/s, ''));
      // The vendor does not document the answer to a rejected token. RFC 6750 §3.1 requires a 401.
      if (isTokenRejected(answer)) return { kind: 'token rejected', untouched: answer.status === 401 || isRead() };
      const envelope = decodeEnvelope(answer);
      if (envelope.kind === 'success') return { ...envelope, kind: 'data' };
      const { error, reference } = envelope;
      if (rejections.includes(error.message)) return { kind: 'token rejected', untouched: isRead(), reference };
      throw reportedError(error.message, token.value, { reference });
    },

    // The paths that the vendor documents contain no data. Any other path may contain data, so it is not shown.
    template: (path) => (DOCUMENTED_PATH.test(path) ? path : undefined),
    paging: xPayPaging,
  };
}

/** Source: the pages on wallets, bills and transactions at https://docs.xpay.stream */
const DOCUMENTED_PATH =
  /^\/client\/(?:(?:wallets|bills|transactions)\/(?:save|view|find|cancel)|wallets\/send\/(?:token|tron|ln)\/(?:preview|confirm))$/;

function isAPI(option: XPayDialectOptions['isAPI'], purpose: Purpose): boolean {
  return (typeof option === 'object' ? option[purpose] : option) ?? true;
}
