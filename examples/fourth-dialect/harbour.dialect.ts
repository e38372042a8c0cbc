import { type Dialect, XPayAuthError } from 'nestjs-xpay-auth';
import { encodeJson, jsonObject, refuseEmpty, unreadable } from 'nestjs-xpay-auth/dialect';
import { businessError, decodeSession, loginFields, problemOf } from './harbour.wire.js';

const JSON_HEADERS = { 'content-type': 'application/json' };

/** Harbour, a fictional upstream: `POST /sessions` returns a key with a lifetime of 15 minutes. There is no refresh. */
export function harbour(): Dialect {
  return {
    name: 'harbour',

    async authenticate(credentials, upstream) {
      refuseEmpty(credentials);
      const { username, secretKey } = credentials;
      const answer = await upstream.send({
        method: 'POST',
        path: '/sessions',
        headers: JSON_HEADERS,
        body: JSON.stringify(loginFields(username, secretKey)),
      });
      const problem = problemOf(answer);
      if (problem === undefined) return decodeSession(answer, username);
      // Only this type means wrong credentials. Any other problem is not the caller's fault.
      if (problem.type === '/problems/not-on-the-crew') {
        throw new XPayAuthError('invalid_credentials', 'Harbour refused the credentials');
      }
      if (answer.status === 429) throw unreadable(answer, 'a session');
      // Omits the upstream's text, which may repeat the passphrase in an encoding that no filter finds.
      throw new XPayAuthError('upstream_business_error', 'Harbour reported a problem that is not a refusal');
    },

    api: {
      encode: ({ method, path, headers, body }, token) => ({
        method,
        path,
        // The bearer comes last, so no header of the caller replaces it.
        headers: { ...headers, ...JSON_HEADERS, authorization: `Bearer ${token.value}` },
        ...(body !== undefined && { body: encodeJson(body) }),
      }),

      decode(answer, call, token) {
        const problem = problemOf(answer);
        // Harbour checks the key first, so a rejected call has had no effect.
        if (problem?.type === '/problems/session-over') return { kind: 'token rejected', untouched: true };
        if (answer.status === 429 || (problem === undefined && answer.status >= 300)) throw unreadable(answer, 'data');
        if (problem !== undefined) throw businessError(problem, token.value);
        return { kind: 'data', data: jsonObject(answer) ?? null };
      },
    },
  };
}
