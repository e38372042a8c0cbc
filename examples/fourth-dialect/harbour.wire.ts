import { AccessToken, type Grant, type UpstreamAnswer, XPayAuthError } from 'nestjs-xpay-auth';
import { isToken, jsonObject, msFromSeconds, unreadable, upstreamWords } from 'nestjs-xpay-auth/dialect';

// The wire file: the only file with Harbour's field names. Foreign JSON is `unknown` until it is decoded here.

/** The body of `POST /sessions`. */
export const loginFields = (skipper: string, passphrase: string) => ({ skipper, passphrase });

/** Harbour's errors: `application/problem+json` (RFC 9457), distinguished by `type`. */
export interface Problem {
  readonly type: string;
  readonly title: unknown;
}

export function problemOf(answer: UpstreamAnswer): Problem | undefined {
  const { type, title } = jsonObject(answer) ?? {};
  return answer.status >= 400 && answer.status < 500 && typeof type === 'string' ? { type, title } : undefined;
}

/**
 * `{ "session": { "key": "…", "seconds": 900, "piers": "north,south" } }` as a grant. Throws for any other
 * answer: `upstream_rate_limited` or `upstream_unavailable` by its status, otherwise `upstream_malformed`.
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
    // A duration, not a timestamp, so the clocks need not agree.
    lifeMs: msFromSeconds(seconds, 'session.seconds'),
  };
}

/** `upstream_business_error` of an API call with Harbour's text, unless that repeats the key. */
export function businessError({ title }: Problem, key: string): XPayAuthError {
  const words = upstreamWords(title, [key]) ?? 'an error';
  return new XPayAuthError('upstream_business_error', `Harbour reported: ${words}`);
}
