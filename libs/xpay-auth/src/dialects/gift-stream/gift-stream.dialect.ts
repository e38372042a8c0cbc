import { XPayAuthError, configurationError } from '../../core/errors.js';
import type { Dialect, UpstreamAnswer } from '../../core/ports.js';
import { FORM_HEADERS, encodeForm } from '../../http/encode.js';
import { refuseEmpty, rejectedCredentials, renewalFailure, unreadable } from '../../http/failure.js';
import { type GiftStreamApiOptions, giftStreamApi } from './gift-stream.api.js';
import { saysWrongCredentials } from './gift-stream.refusal.js';
import { type GiftStreamScopesOptions, scopesReader } from './gift-stream.scopes.js';
import { decodeGrant, loginFields, messageOf, nameIn } from './gift-stream.wire.js';

/** Options of the dialect {@link giftStream}. */
export interface GiftStreamDialectOptions extends GiftStreamApiOptions, GiftStreamScopesOptions {
  /**
   * HTTP statuses of a failed login, which the vendor does not document; 200 to 499 without 429. An answer with such a status
   * but without `message` is a malformed answer, not a rejection.
   * @default [400]
   */
  refusedStatuses?: readonly number[];
  /**
   * Returns whether the `message` of an answer with such a status means that the credentials are wrong. The vendor does not
   * document this message, and answers 400 to every other failure too. Any other message is therefore `upstream_business_error`.
   * Set this option if your gift-stream uses another message.
   * @default a message that only states that the credentials, e-mail address, password, user, account or login are invalid,
   * incorrect, wrong, unknown or not found, such as `Invalid Credentials` or `Wrong email or password`
   */
  isRefusal?: (message: string) => boolean;
}

/**
 * The dialect of gift-stream.com. A login is `POST /authenticate` with a form of two fields: `email` is our `username`,
 * `password` our `secretKey`. Its access token is valid for three days, and contains a refresh token for `POST /refresh`.
 *
 * The refresh token never expires, so an access token of gift-stream is a long-lived secret. The library does not keep an access
 * token after the check of a caller, and never returns one to a caller. If a refresh is rejected, or there is no refresh token, a
 * full login follows. Username and expiry come from the claims of the token that gift-stream has just sent.
 *
 * Throws `configuration` for invalid options.
 * Source: https://developers.gift-stream.com/operation/operation-authenticate and …/operation-refresh
 */
export function giftStream(options: GiftStreamDialectOptions = {}): Dialect {
  const refusedStatuses = checkedStatuses(options.refusedStatuses ?? [400]);
  const isRefusal = options.isRefusal ?? saysWrongCredentials;
  const scopesOf = scopesReader(options);
  return {
    name: 'gift-stream',
    defaultBaseUrl: 'https://api.gift-stream.com',
    accessTokenIsLongLivedSecret: true,

    async authenticate(credentials, upstream, purpose) {
      refuseEmpty(credentials);
      const { username, secretKey } = credentials;
      const answer = await upstream.send({
        method: 'POST',
        path: '/authenticate',
        headers: FORM_HEADERS,
        body: encodeForm(loginFields(username, secretKey)),
      });
      const grant = decodeGrant(answer, username);
      if (grant !== undefined) {
        return purpose === 'own token' ? grant : { ...grant, scopes: await scopesOf({ username: grant.username }) };
      }
      const message = messageOf(answer);
      if (message !== undefined && refusedStatuses.includes(answer.status) && isRefusal(message)) {
        throw rejectedCredentials();
      }
      throw nonRefusalError(answer, message);
    },

    async refresh(refreshToken, upstream) {
      const answer = await upstream.send({
        method: 'POST',
        path: '/refresh',
        headers: { authorization: `Bearer ${refreshToken.reveal()}` },
      });
      const grant = decodeGrant(answer, nameIn(refreshToken));
      if (grant === undefined) throw renewalFailure(answer);
      return grant;
    },

    api: giftStreamApi(options),
  };
}

/**
 * The message of the error does not contain the upstream's text, because that text may contain the password in a spelling that a
 * search does not find.
 */
function nonRefusalError(answer: UpstreamAnswer, message: string | undefined): XPayAuthError {
  if (answer.status !== 400 || message === undefined) return unreadable(answer, 'an access token');
  const text = 'The upstream answered 400 to the login, but its message does not reject the credentials';
  return new XPayAuthError('upstream_business_error', text);
}

function checkedStatuses(statuses: readonly number[]): readonly number[] {
  const areValid = statuses.every((status) => {
    return Number.isInteger(status) && status >= 200 && status < 500 && status !== 429;
  });
  if (areValid && statuses.length > 0) return [...statuses];
  throw configurationError('giftStream: refusedStatuses must be HTTP statuses from 200 to 499, not 429');
}
