import { XPayAuthError } from '../../core/errors.js';
import type { ApiCall, ApiLanguage, UpstreamAnswer } from '../../core/ports.js';
import { FORM_HEADERS, encodeForm, encodeJson } from '../../http/encode.js';
import { reportedError, unreadable } from '../../http/failure.js';
import { wordsOf } from './password-login.wire.js';

export interface PasswordLoginApiOptions {
  /**
   * HTTP statuses of an API call by which the upstream rejects the token. Add 403 for FastAPI before 0.122, whose `HTTPBearer`
   * answered it. A call that is not a GET is then not repeated, because a 403 may have other reasons.
   * @default [401] (RFC 6750 §3.1)
   */
  tokenRejectedStatuses?: readonly (401 | 403)[];
}

/** An API with a bearer token: JSON (or a form, given as `URLSearchParams`) in, JSON out, and failures by HTTP status. */
export function passwordLoginApi({ tokenRejectedStatuses = [401] }: PasswordLoginApiOptions): ApiLanguage {
  const rejections: readonly number[] = tokenRejectedStatuses;
  return {
    encode(call, token) {
      const { method, path, headers } = call;
      const { body, ...content } = contentOf(call);
      return {
        method,
        path,
        headers: { ...headers, ...content, authorization: `Bearer ${token.value}` },
        ...(body !== undefined && { body }),
      };
    },

    decode(answer, { method }, token) {
      const { status, text } = answer;
      if (rejections.includes(status)) {
        return { kind: 'token rejected', untouched: status === 401 || method === 'GET' };
      }
      if (status < 300) return { kind: 'data', data: text === '' ? null : parsed(answer) };
      if (status < 400 || status === 429 || status >= 500) throw unreadable(answer, 'data');
      throw reportedError(wordsOf(answer), token.value, { prefix: `The upstream answered ${status}` });
    },
  };
}

function contentOf({ method, body, encodedBody }: ApiCall): { body?: string; 'content-type'?: string } {
  if (body === undefined) return {};
  if (method === 'GET') {
    throw new XPayAuthError('configuration', 'password-login: a GET has no body; write what it asks for into its path');
  }
  if (body instanceof URLSearchParams) return { ...FORM_HEADERS, body: encodedBody ?? encodeForm(body) };
  return { 'content-type': 'application/json', body: encodedBody ?? encodeJson(body) };
}

function parsed(answer: UpstreamAnswer): unknown {
  try {
    return JSON.parse(answer.text) as unknown;
  } catch {
    throw unreadable(answer, 'JSON');
  }
}
