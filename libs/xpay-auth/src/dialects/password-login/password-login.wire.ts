import { XPayAuthError } from '../../core/errors.js';
import type { Grant, UpstreamAnswer } from '../../core/ports.js';
import { AccessToken, Secret } from '../../core/credentials.js';
import { claimsOf, isAbsent, isObject, isScopeList, isToken, jsonObject, msFromSeconds } from '../../core/decoders.js';
import type { PasswordLoginSettings } from './password-login.options.js';

/** OAuth's name for the token (RFC 6749 §5.1). */
export const DEFAULT_TOKEN_AT = 'access_token';

/**
 * Returns the grant of a successful answer, or `undefined` if the answer has no token at `tokenAt`. The lifetime is read from
 * `expires_in`, or else from the claim `exp` of the token. If there is neither, the lifetime is unknown.
 *
 * The username of the grant is the argument `username`, because the answer contains none. A refresh token is kept only with
 * `refreshPath`.
 *
 * Throws `upstream_malformed` for a token that cannot be used.
 */
export function decodeGrant(
  answer: UpstreamAnswer,
  username: string,
  { tokenAt, tokenTypes, refreshPath }: PasswordLoginSettings,
): Grant | undefined {
  const beside = answer.status < 300 ? follow(jsonObject(answer), tokenAt.slice(0, -1)) : undefined;
  const token = beside?.[tokenAt.at(-1) ?? ''];
  if (beside === undefined || !isToken(token)) return undefined;
  const { token_type: type, expires_in: expiresIn, refresh_token: refreshToken } = beside;
  if (!isAccepted(type, tokenTypes)) {
    const message = 'The upstream granted a token whose token_type is not in tokenTypes of passwordLogin';
    throw new XPayAuthError('upstream_malformed', message);
  }
  const lifeMs = msFromSeconds(expiresIn, 'expires_in');
  const expiresAt =
    lifeMs === undefined
      ? msFromSeconds(claimsOf(token)?.['exp'], 'exp')
      : (answer.upstreamNow ?? answer.receivedAt) + lifeMs;
  const scopes = scopesOf(beside['scope']);
  return {
    accessToken: new AccessToken(token, { expiresAt, scopes }),
    username,
    scopes,
    isAPI: false,
    lifeMs,
    upstreamNow: answer.upstreamNow,
    ...(refreshPath !== undefined && isToken(refreshToken) && { refreshToken: new Secret(refreshToken) }),
  };
}

/** RFC 6749 §5.1 requires `token_type`, in any case of letters. Many upstreams leave it out. */
function isAccepted(type: unknown, tokenTypes: readonly string[]): boolean {
  return isAbsent(type) || (typeof type === 'string' && tokenTypes.includes(type.toLowerCase()));
}

/** The reason of a rejected login, if the body has a standard error code. */
export type SaidReason = 'credentials' | 'request' | undefined;

/** RFC 6749 §5.2: errors of the client, not of its user. */
const REQUEST_ERRORS = [
  'invalid_client',
  'invalid_request',
  'invalid_scope',
  'unauthorized_client',
  'unsupported_grant_type',
];

/** Reads OAuth's error codes, FastAPI's list of faulty fields, and FastAPI's answer to an unknown path. */
export function saidReason(answer: UpstreamAnswer): SaidReason {
  const { error, detail } = jsonObject(answer) ?? {};
  if (error === 'invalid_grant') return 'credentials';
  const request =
    Array.isArray(detail) || detail === 'Not Found' || (typeof error === 'string' && REQUEST_ERRORS.includes(error));
  return request ? 'request' : undefined;
}

/** Returns the upstream's words for an error: FastAPI's `detail`, OAuth's `error_description`, or `message`. */
export function wordsOf(answer: UpstreamAnswer): unknown {
  const { detail, error_description: description, message, error } = jsonObject(answer) ?? {};
  return [detail, description, message, error].find((words) => typeof words === 'string');
}

function follow(body: Readonly<Record<string, unknown>> | undefined, path: readonly string[]) {
  let here: unknown = body;
  for (const name of path) here = isObject(here) && Object.hasOwn(here, name) ? here[name] : undefined;
  return isObject(here) ? here : undefined;
}

/** Reads space-separated scopes (RFC 6749 §3.3), and also a list. */
function scopesOf(scope: unknown): readonly string[] {
  if (isAbsent(scope)) return [];
  const scopes: unknown = typeof scope === 'string' ? scope.split(' ').filter((name) => name !== '') : scope;
  if (isScopeList(scopes)) return scopes;
  throw new XPayAuthError('upstream_malformed', 'The upstream granted scopes that are no text, too long or too many');
}
