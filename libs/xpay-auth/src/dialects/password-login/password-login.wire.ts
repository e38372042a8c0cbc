import { AccessToken } from '../../core/access-token.js';
import { XPayAuthError } from '../../core/errors.js';
import type { Grant, UpstreamAnswer } from '../../core/ports.js';
import { Secret } from '../../core/secret.js';
import { claimsOf, isAbsent, isObject, isScopeList, isToken, jsonObject, msFromSeconds } from '../../http/answer.js';

/** OAuth's own place for the token (RFC 6749 §5.1). */
export const DEFAULT_TOKEN_AT = 'access_token';

/** What a grant is read with. */
export interface GrantReading {
  /** The way to the token, name by name; what belongs to it lies beside it. */
  readonly tokenAt: readonly string[];
  /** The accepted values of `token_type`, in lower case. */
  readonly tokenTypes: readonly string[];
  readonly keepRefreshToken: boolean;
  /** The answer names nobody, so this is whom the grant is for. */
  readonly username: string;
}

/** The fields of OAuth's refresh grant (RFC 6749 §6). */
export const refreshFields = (refreshToken: Secret) => ({
  grant_type: 'refresh_token',
  refresh_token: refreshToken.reveal(),
});

/**
 * What a successful answer grants, or `undefined` when there is no token where it should be. Its life is `expires_in`, else
 * the token's own `exp`, else not known.
 *
 * Throws `upstream_malformed` for a token that cannot be used.
 */
export function decodeGrant(
  answer: UpstreamAnswer,
  { tokenAt, tokenTypes, keepRefreshToken, username }: GrantReading,
): Grant | undefined {
  const beside = answer.status < 300 ? follow(jsonObject(answer), tokenAt.slice(0, -1)) : undefined;
  const token = beside?.[tokenAt.at(-1) ?? ''];
  if (beside === undefined || !isToken(token)) return undefined;
  const { token_type: type, expires_in: expiresIn, refresh_token: refreshToken } = beside;
  if (!isAccepted(type, tokenTypes)) {
    throw new XPayAuthError(
      'upstream_malformed',
      'The upstream granted a token whose token_type is not in tokenTypes of passwordLogin',
    );
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
    ...(keepRefreshToken && isToken(refreshToken) && { refreshToken: new Secret(refreshToken) }),
  };
}

/** Required by RFC 6749 §5.1 in any case of letters, and left out by many. */
function isAccepted(type: unknown, tokenTypes: readonly string[]): boolean {
  return isAbsent(type) || (typeof type === 'string' && tokenTypes.includes(type.toLowerCase()));
}

/** Why a login was turned down, as far as the body says it in a way that is agreed on. */
export type SaidReason = 'credentials' | 'request' | undefined;

/** RFC 6749 §5.2: errors of the client, not of its user. */
const REQUEST_ERRORS = [
  'invalid_client',
  'invalid_request',
  'invalid_scope',
  'unauthorized_client',
  'unsupported_grant_type',
];

/** By OAuth's error codes, by FastAPI's list of faulty fields, or by its answer to a path that is not there. */
export function saidReason(answer: UpstreamAnswer): SaidReason {
  const { error, detail } = jsonObject(answer) ?? {};
  if (error === 'invalid_grant') return 'credentials';
  const request =
    Array.isArray(detail) || detail === 'Not Found' || (typeof error === 'string' && REQUEST_ERRORS.includes(error));
  return request ? 'request' : undefined;
}

/** The upstream's words for an error: FastAPI's `detail`, OAuth's `error_description`, or `message`. */
export function wordsOf(answer: UpstreamAnswer): unknown {
  const { detail, error_description: description, message, error } = jsonObject(answer) ?? {};
  return [detail, description, message, error].find((words) => typeof words === 'string');
}

function follow(body: Readonly<Record<string, unknown>> | undefined, way: readonly string[]) {
  let here: unknown = body;
  for (const name of way) here = isObject(here) && Object.hasOwn(here, name) ? here[name] : undefined;
  return isObject(here) ? here : undefined;
}

/** Space-separated (RFC 6749 §3.3); a list is taken too. */
function scopesOf(scope: unknown): readonly string[] {
  if (isAbsent(scope)) return [];
  const scopes: unknown = typeof scope === 'string' ? scope.split(' ').filter((name) => name !== '') : scope;
  if (isScopeList(scopes)) return scopes;
  throw new XPayAuthError('upstream_malformed', 'The upstream granted scopes that are no text, too long or too many');
}
