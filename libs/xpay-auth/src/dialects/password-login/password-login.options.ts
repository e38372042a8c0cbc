import { configurationError } from '../../core/errors.js';
import type { TokenRejectionOptions } from '../bearer-api.js';
import { DEFAULT_TOKEN_AT } from './password-login.wire.js';

/** Options of the dialect `passwordLogin`. */
export interface PasswordLoginDialectOptions extends TokenRejectionOptions {
  /**
   * Path of the login, below `baseUrl`. FastAPI answers a superfluous trailing slash with a redirect (307), which is not
   * followed.
   * @default '/auth/login'
   */
  path?: string;
  /**
   * The encoding of login and refresh: a form (`application/x-www-form-urlencoded`) or a JSON object.
   * @default 'form'
   */
  body?: 'form' | 'json';
  /**
   * The upstream's names of the two fields. @default { username: 'username', secretKey: 'password' }
   */
  fields?: {
    /** Name of the field for the user name. */
    username?: string;
    /** Name of the field for the secret key. */
    secretKey?: string;
  };
  /**
   * Further fields of every login and refresh, such as `{ grant_type: 'password' }` for a strict OAuth2 form, or a `client_id`
   * and its `client_secret`. A refresh has its own `grant_type`.
   * @default none
   */
  extraFields?: Readonly<Record<string, string>>;
  /**
   * The place of the token in the answer: a name or a path, such as `'result.token'`. Type, lifetime, scope and refresh token are
   * read from the same object, by OAuth's names.
   * @default the name that OAuth gives to the access token (RFC 6749 §5.1)
   */
  tokenAt?: string;
  /**
   * Accepted values of `token_type`, in any case of letters. An answer with any other value is `upstream_malformed`. An answer
   * without a `token_type` is accepted. The token is always sent as a bearer token, so add only names that mean a bearer token,
   * such as `BearerToken`, `JWT` or `jwt-bearer`.
   * @default ['bearer'] (RFC 6750 §4)
   */
  tokenTypes?: readonly string[];
  /**
   * HTTP statuses by which the login rejects credentials. Every other status is a failure of the upstream. Some upstreams use 400
   * (fastapi-users, the full-stack template), 403 or 404. An answer with such a status counts only if its body is a JSON object,
   * because proxies send these statuses too. OAuth's `invalid_grant` counts with any status except 429 and 5xx.
   * @default [401], the convention of FastAPI's tutorial
   */
  refusedStatuses?: readonly (400 | 401 | 403 | 404)[];
  /**
   * Path of a standard refresh grant (RFC 6749 §6), used when a login returns a refresh token. After a refused refresh, or
   * without a refresh token, a full login follows.
   * @default none: refresh tokens are not kept
   */
  refreshPath?: string;
  /**
   * HTTP statuses of an API call by which the upstream rejects the token, unless `isTokenRejected` is set. Add 403 for
   * FastAPI before 0.122, whose `HTTPBearer` answered it. A call that is not a GET is then not repeated, because a 403 may
   * have other reasons.
   * @default [401] (RFC 6750 §3.1)
   */
  tokenRejectedStatuses?: readonly (401 | 403)[];
}

/** The options with their defaults. `tokenTypes` are in lower case. */
export type PasswordLoginSettings = Readonly<ReturnType<typeof resolvePasswordLogin>>;

/** Resolves the options. Throws `configuration` with the name of the option for an invalid value. */
export function resolvePasswordLogin(options: PasswordLoginDialectOptions) {
  const { path = '/auth/login', body = 'form', extraFields = {}, refreshPath } = options;
  const names = {
    username: options.fields?.username ?? 'username',
    secretKey: options.fields?.secretKey ?? 'password',
  };
  const tokenAt = (options.tokenAt ?? DEFAULT_TOKEN_AT).split('.');
  const tokenTypes: readonly string[] = options.tokenTypes ?? ['bearer'];
  const refusedStatuses: readonly number[] = options.refusedStatuses ?? [401];
  insist(isPath(path), 'path must begin with one "/"');
  insist(refreshPath === undefined || isPath(refreshPath), 'refreshPath must begin with one "/"');
  insist(body === 'form' || body === 'json', "body must be 'form' or 'json'");
  insist(names.username !== '' && names.secretKey !== '', 'fields must not be empty');
  insist(names.username !== names.secretKey, 'fields must have two different names');
  insist(
    !Object.values(names).some((name) => Object.hasOwn(extraFields, name)),
    'extraFields must not name the fields of the credentials',
  );
  insist(!tokenAt.includes(''), "tokenAt must be a name, or names joined by '.'");
  insist(areTokenTypes(tokenTypes), 'tokenTypes must be an array of one or more texts without spaces');
  insist(
    refusedStatuses.every((status) => [400, 401, 403, 404].includes(status)),
    'refusedStatuses may contain only 400, 401, 403 and 404',
  );
  return {
    path,
    body,
    names,
    extraFields: { ...extraFields },
    tokenAt,
    tokenTypes: tokenTypes.map((type) => type.toLowerCase()),
    refusedStatuses: [...refusedStatuses],
    refreshPath,
  };
}

function isPath(path: string): boolean {
  return /^\/(?!\/)/.test(path);
}

function areTokenTypes(types: unknown): boolean {
  return (
    Array.isArray(types) && types.length > 0 && types.every((type) => typeof type === 'string' && /^\S+$/.test(type))
  );
}

function insist(condition: boolean, rule: string): void {
  if (!condition) throw configurationError(`passwordLogin: ${rule}`);
}
