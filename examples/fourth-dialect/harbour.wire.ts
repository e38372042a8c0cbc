import {
  AccessToken,
  type Grant,
  type UpstreamAnswer,
  XPayAuthError,
  isToken,
  jsonObject,
  msFromSeconds,
  unreadable,
  upstreamWords,
} from 'nestjs-xpay-auth';

// The wire file: the one place that knows Harbour's own names. Foreign JSON is `unknown` until it has been looked at here.

/** What `POST /sessions` wants. */
export const loginFields = (skipper: string, passphrase: string) => ({ skipper, passphrase });

/** Harbour's errors: `application/problem+json` (RFC 9457), told apart by `type`. */
export interface Problem {
  readonly type: string;
  readonly title: unknown;
}

export function problemOf(answer: UpstreamAnswer): Problem | undefined {
  const { type, title } = jsonObject(answer) ?? {};
  return answer.status >= 400 && answer.status < 500 && typeof type === 'string' ? { type, title } : undefined;
}

/**
 * `{ "session": { "key": "…", "seconds": 900, "piers": "north,south" } }` as a grant. Throws `upstream_malformed`, or by its
 * status `upstream_rate_limited` or `upstream_unavailable`, for everything else.
 */
export function decodeSession(answer: UpstreamAnswer, username: string): Grant {
  const { session } = (answer.status === 201 ? jsonObject(answer) : undefined) ?? {};
  const { key, seconds, piers } = (session ?? {}) as Readonly<Record<string, unknown>>;
  if (!isToken(key) || typeof piers !== 'string') throw unreadable(answer, 'a session');
  const scopes = piers.split(',').filter((pier) => pier !== '');
  return {
    accessToken: new AccessToken(key, { scopes }),
    username,
    scopes,
    isAPI: false,
    // A period, not an instant: no clock has to agree with another.
    lifeMs: msFromSeconds(seconds, 'session.seconds'),
  };
}

/** `upstream_business_error` of an API call in Harbour's words, unless they repeat the key. */
export function businessError({ title }: Problem, key: string): XPayAuthError {
  const words = upstreamWords(title, [key]) ?? 'an error';
  return new XPayAuthError('upstream_business_error', `Harbour reported: ${words}`);
}
