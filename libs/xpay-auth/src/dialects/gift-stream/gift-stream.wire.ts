import { XPayAuthError } from '../../core/errors.js';
import type { ApiData, Grant, UpstreamAnswer } from '../../core/ports.js';
import { AccessToken, Secret } from '../../core/credentials.js';
import { claimsOf, isName, isToken, jsonObject, msFromSeconds } from '../../core/decoders.js';

/** The fields of `POST /authenticate` (https://developers.gift-stream.com/operation/operation-authenticate). */
export const loginFields = (email: string, password: string) => ({ email, password });

/**
 * Returns the grant of `/authenticate` or `/refresh`, or `undefined` if the answer has no grant. Expiry, username and refresh
 * token are read from the claims of the token that the upstream has just sent. The grant has no scopes.
 *
 * Throws `upstream_malformed` for a token that cannot be used.
 */
export function decodeGrant(answer: UpstreamAnswer, defaultUsername: string): Grant | undefined {
  const body = answer.status < 300 ? jsonObject(answer) : undefined;
  const token = body?.['accessToken'];
  if (!isToken(token)) return undefined;
  const claims = claimsOf(token) ?? {};
  if (claims['token-type'] === 'REFRESH') {
    throw new XPayAuthError('upstream_malformed', 'The upstream granted a refresh token where an access token belongs');
  }
  const { exp, userName } = claims;
  const tokenId = body?.['token-id'];
  return {
    accessToken: new AccessToken(token, { expiresAt: msFromSeconds(exp, 'exp') }),
    username: isName(userName) ? userName : defaultUsername,
    scopes: [],
    isAPI: false,
    upstreamNow: upstreamNow(answer),
    refreshToken: nestedRefreshToken(claims),
    ...(typeof tokenId === 'number' && { reference: { tag: `token-id ${tokenId}` } }),
  };
}

/** Returns the username inside a refresh token. Used for an access token that contains no username. */
export function nameIn(refreshToken: Secret): string {
  const name = claimsOf(refreshToken.reveal())?.['userName'];
  return isName(name) ? name : '';
}

/** Returns the `message` of an error. */
export function messageOf(answer: UpstreamAnswer): string | undefined {
  const message = jsonObject(answer)?.['message'];
  return typeof message === 'string' && message.trim() !== '' ? message.trim() : undefined;
}

/**
 * Returns the `data`, the `message` and the other fields of an answer. If the answer has no `data`, the whole answer is the data,
 * without message and other fields. Returns `undefined` if the answer is not a JSON object.
 */
export function dataOf(answer: UpstreamAnswer): Omit<ApiData, 'kind'> | undefined {
  const body = jsonObject(answer);
  if (body === undefined || !Object.hasOwn(body, 'data')) return body && { data: body };
  const { data, message, ...meta } = body;
  return { data, ...(typeof message === 'string' && { message }), meta };
}

/** Limits of a `timestamp` in seconds. The vendor's pages also show `"timestamp": "integer"`, so any other value is ignored. */
const [EARLIEST, LATEST] = [Date.UTC(2001, 0), Date.UTC(2200, 0)];

/** Returns the upstream's time in ms since the epoch, from the `timestamp` of the answer or else from its `Date` header. */
export function upstreamNow(answer: UpstreamAnswer): number | undefined {
  const timestamp = jsonObject(answer)?.['timestamp'];
  const at = typeof timestamp === 'number' ? timestamp * 1_000 : NaN;
  return at >= EARLIEST && at < LATEST ? at : answer.upstreamNow;
}

/** Returns the refresh token in the claims, which never expires; `undefined` if there is none or it is not a JWT. */
function nestedRefreshToken(claims: Readonly<Record<string, unknown>>): Secret | undefined {
  const nested = claims['refresh-token'];
  return isToken(nested) && claimsOf(nested) !== undefined ? new Secret(nested) : undefined;
}
