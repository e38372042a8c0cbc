import type { AccessToken } from '../../core/credentials.js';
import type { ApiLanguage, UpstreamAnswer } from '../../core/ports.js';
import { FORM_HEADERS, encodeForm } from '../../http/encode.js';
import { reportedError, unreadable } from '../../http/failure.js';
import { type TokenRejectionOptions, bearerRequest, isUnauthorized, refuseBodyOfGet } from '../bearer-api.js';
import { dataOf, messageOf, upstreamNow } from './gift-stream.wire.js';

export interface GiftStreamApiOptions extends TokenRejectionOptions {
  /**
   * Returns whether the message of a 400 rejects the token. gift-stream answers 400 to every failure, and documents only `Missing
   * Token` as a message about the token. After `true`, even calls that move money are repeated, so return `true` only if the
   * message concerns the token and nothing else. `Invalid Token Amount` concerns an amount.
   * @default the whole message consists of `missing`, `invalid` or `expired` and of `token`, in either order
   */
  isTokenRejection?: (message: string) => boolean;
  /**
   * Whether `GET /giftcard/…` also sends the token in a header `Authorisation`, which is the spelling on the vendor's page for
   * this call. Set this option to `false` if a proxy logs unknown headers.
   * @default true
   */
  authorisation?: boolean;
}

const TOKEN_REJECTION =
  /^(?:(?:missing|invalid|expired) (?:access )?token|(?:access )?token (?:(?:is|has) )?(?:missing|invalid|expired))[.!]?$/i;

/** A message such as `Missing Card Id`. The upstream processed the request, so it had accepted the token. */
const MISSING_FIELD = /^missing\b/i;

/**
 * gift-stream's API: requests are forms with a bearer token, answers are `{ message, timestamp, data }`, and every rejection
 * has the status 400.
 */
export function giftStreamApi(options: GiftStreamApiOptions): ApiLanguage {
  const isTokenRejected = options.isTokenRejected ?? isUnauthorized;
  const isTokenRejection = options.isTokenRejection ?? ((message) => TOKEN_REJECTION.test(message));
  return {
    encode(call, token) {
      refuseBodyOfGet('gift-stream', call);
      const isCard = call.method === 'GET' && call.path.startsWith('/giftcard/');
      const british = isCard && options.authorisation !== false && { authorisation: `Bearer ${token.value}` };
      return bearerRequest(call, token, { ...FORM_HEADERS, ...british }, encodeForm);
    },

    decode(answer, call, token) {
      if (isTokenRejected(answer)) {
        return { kind: 'token rejected', untouched: answer.status === 401 || call.method === 'GET' };
      }
      const found = answer.status < 300 ? dataOf(answer) : undefined;
      if (found !== undefined) return { kind: 'data', ...found };
      const message = messageOf(answer);
      const readable = answer.status >= 400 && answer.status < 500 && answer.status !== 429;
      if (message === undefined || !readable) throw unreadable(answer, 'a message');
      if (answer.status === 400) {
        // The upstream rejects the token before it does anything else.
        if (isTokenRejection(message)) return { kind: 'token rejected', untouched: true };
        // The token has expired, but the 400 may have another reason, so only a call that reads data is repeated.
        if (isOver(token, answer) && !MISSING_FIELD.test(message)) {
          return { kind: 'token rejected', untouched: call.method === 'GET' };
        }
      }
      throw reportedError(message, token.value);
    },

    template: (path) => TEMPLATES.find(([pattern]) => pattern.test(path))?.[1],
  };
}

/** The vendor's paths. The identifier in the path of a card is a secret, because it is sufficient to use the card. */
const TEMPLATES: readonly (readonly [RegExp, string])[] = [
  [/^\/giftcard$/, '/giftcard'],
  [/^\/giftcard\/[^/?#]+$/, '/giftcard/{identifier}'],
  [/^\/transaction$/, '/transaction'],
  [/^\/sites$/, '/sites'],
  [/^\/sites\/[^/?#]+$/, '/sites/{siteId}'],
];

/**
 * Whether the token has expired by our clock and also, if the answer states a time, by the upstream's clock. Both must agree,
 * because the `Date` of a gateway may be wrong.
 */
function isOver({ expiresAt }: AccessToken, answer: UpstreamAnswer): boolean {
  const { receivedAt } = answer;
  return expiresAt !== undefined && expiresAt <= Math.min(receivedAt, upstreamNow(answer) ?? receivedAt);
}
