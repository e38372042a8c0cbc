import { isAbsent } from '../../core/json-object.js';

/** What this library reads of a handshake's `auth` by itself, and takes off it. */
const OWN = ['username', 'secretKey', 'token'] as const;

interface ReadAuth {
  /** As `Authorization` lines, so that one reader judges them all: two are ambiguous, a malformed one is malformed. */
  readonly authorizations: readonly string[];
  /** Everything else. */
  readonly rest: Readonly<Record<string, unknown>>;
}

/**
 * Reads `{ username, secretKey }` and `{ token }` of a handshake's `auth`, and deletes them there. `null` is absent: it is
 * what a browser's storage holds before the first login. What cannot be one of them becomes a line that no reader accepts.
 */
export function authorizationsIn(auth: unknown): ReadAuth {
  if (typeof auth !== 'object' || auth === null) return { authorizations: [], rest: {} };
  const sent = auth as Record<string, unknown>;
  const { username, secretKey, token, ...rest } = sent;
  for (const name of OWN) delete sent[name];
  const authorizations: string[] = [];
  if (!isAbsent(username) || !isAbsent(secretKey)) authorizations.push(basicOf(username, secretKey));
  if (!isAbsent(token)) authorizations.push(typeof token === 'string' ? `Bearer ${token}` : 'Bearer');
  return { authorizations, rest };
}

/** `Basic` alone, which is malformed, for what the scheme cannot carry without becoming somebody else's (RFC 7617 §2). */
function basicOf(username: unknown, secretKey: unknown): string {
  if (typeof username !== 'string' || typeof secretKey !== 'string' || username.includes(':')) return 'Basic';
  if (!username.isWellFormed() || !secretKey.isWellFormed()) return 'Basic';
  return `Basic ${Buffer.from(`${username}:${secretKey}`).toString('base64')}`;
}
