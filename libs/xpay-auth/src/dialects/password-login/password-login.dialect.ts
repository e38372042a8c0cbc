import { XPayAuthError } from '../../core/errors.js';
import type { ApiLanguage, Dialect, UpstreamAnswer, UpstreamRequest } from '../../core/ports.js';
import { jsonObject } from '../../core/decoders.js';
import { FORM_HEADERS, encodeForm, encodeJson } from '../../http/encode.js';
import { refuseEmpty, rejectedCredentials, renewalFailure, reportedError, unreadable } from '../../http/failure.js';
import { bearerRequest, refuseBodyOfGet } from '../bearer-api.js';
import {
  type PasswordLoginDialectOptions,
  type PasswordLoginSettings,
  resolvePasswordLogin,
} from './password-login.options.js';
import { decodeGrant, saidReason, wordsOf } from './password-login.wire.js';

/**
 * The generic password login: `POST /auth/login` with `username` and `password` as a form, answered with a bearer token, as in
 * OAuth2's password grant and FastAPI's tutorials. The dialect is not specific to one upstream, so `baseUrl` has no default,
 * and paths, fields and statuses are options.
 *
 * The lifetime of a token is read from the answer, or else from the claim `exp` of the token. If neither states a lifetime,
 * `token.fallbackLifeMs` (5 min) is used. The scopes are read from the answer. The username is the username of the login, because
 * the answer contains none.
 *
 * Throws `configuration` for invalid options.
 * Source: RFC 6749 §4.3, §5 and §6; https://fastapi.tiangolo.com/tutorial/security/simple-oauth2/
 */
export function passwordLogin(options: PasswordLoginDialectOptions = {}): Dialect {
  const settings = resolvePasswordLogin(options);
  const { names, extraFields, refreshPath } = settings;
  return {
    name: 'password-login',

    async authenticate(credentials, upstream) {
      refuseEmpty(credentials);
      const { username, secretKey } = credentials;
      const fields = { ...extraFields, [names.username]: username, [names.secretKey]: secretKey };
      const answer = await upstream.send(post(settings.path, settings, fields));
      const grant = decodeGrant(answer, username, settings);
      if (grant !== undefined) return grant;
      throw isRefusal(answer, settings) ? rejectedCredentials() : nonRefusalError(answer);
    },

    ...(refreshPath !== undefined &&
      ({
        async refresh(refreshToken, upstream) {
          // RFC 6749 §6.
          const fields = { ...extraFields, grant_type: 'refresh_token', refresh_token: refreshToken.reveal() };
          const answer = await upstream.send(post(refreshPath, settings, fields));
          const grant = decodeGrant(answer, '', settings);
          if (grant === undefined) throw renewalFailure(answer);
          return grant;
        },
      } satisfies Pick<Dialect, 'refresh'>)),

    api: passwordLoginApi(options),
  };
}

const JSON_HEADERS = { 'content-type': 'application/json' };

function post(path: string, { body }: PasswordLoginSettings, fields: Record<string, string>): UpstreamRequest {
  return body === 'form'
    ? { method: 'POST', path, headers: FORM_HEADERS, body: encodeForm(fields) }
    : { method: 'POST', path, headers: JSON_HEADERS, body: JSON.stringify(fields) };
}

/**
 * Whether an answer rejects the credentials. An error code in the body takes precedence over the status. A 400, 403 or 404
 * without a JSON object is the answer of a proxy.
 */
function isRefusal(answer: UpstreamAnswer, { refusedStatuses }: PasswordLoginSettings): boolean {
  const { status } = answer;
  const reason = saidReason(answer);
  if (status === 429 || status >= 500 || reason === 'request') return false;
  if (reason === 'credentials') return true;
  return refusedStatuses.includes(status) && (status === 401 || jsonObject(answer) !== undefined);
}

/** The message of the error does not contain the text of the body, because FastAPI's 422 repeats the password. */
function nonRefusalError(answer: UpstreamAnswer): XPayAuthError {
  const { status } = answer;
  if (status < 300 || status === 429 || status >= 500) return unreadable(answer, 'a token where tokenAt says');
  return new XPayAuthError(
    'upstream_malformed',
    `The upstream answered ${status} to the login. If its credentials were right, the request does not fit: ` +
      'check baseUrl and the options of passwordLogin (path, body, fields, extraFields, refusedStatuses)',
  );
}

/**
 * An API with a bearer token. Requests are JSON, or a form if the body is `URLSearchParams`. Answers are JSON, and failures
 * have an HTTP status of 400 or more.
 */
function passwordLoginApi(options: PasswordLoginDialectOptions): ApiLanguage {
  const statuses: readonly number[] = options.tokenRejectedStatuses ?? [401];
  const isTokenRejected = options.isTokenRejected ?? ((answer: UpstreamAnswer) => statuses.includes(answer.status));
  return {
    encode(call, token) {
      refuseBodyOfGet('password-login', call);
      const isForm = call.body instanceof URLSearchParams;
      const content = isForm ? FORM_HEADERS : JSON_HEADERS;
      return bearerRequest(call, token, call.body === undefined ? {} : content, isForm ? encodeForm : encodeJson);
    },

    decode(answer, { method }, token) {
      const { status, text } = answer;
      if (isTokenRejected(answer)) {
        return { kind: 'token rejected', untouched: status === 401 || method === 'GET' };
      }
      if (status < 300) return { kind: 'data', data: text === '' ? null : parsed(answer) };
      if (status < 400 || status === 429 || status >= 500) throw unreadable(answer, 'data');
      throw reportedError(wordsOf(answer), token.value, { prefix: `The upstream answered ${status}` });
    },
  };
}

function parsed(answer: UpstreamAnswer): unknown {
  try {
    return JSON.parse(answer.text) as unknown;
  } catch {
    throw unreadable(answer, 'JSON');
  }
}
