import { XPayAuthError } from '../../core/errors.js';
import { isAbsent } from '../../core/json-object.js';
import type { IncomingRequest } from '../../core/incoming-request.js';
import { type HeldRequest, takeOff } from './held-request.js';

/** The request that opened a socket, in the terms of Node's `http.IncomingMessage`. */
export interface UpgradeRequest extends IncomingRequest {
  /** The requested path, query included. */
  readonly url?: string | undefined;
}

/** The handshake of each open socket. An entry is removed with its socket. */
const handshakes = new WeakMap<object, HeldRequest>();

/**
 * Takes what a socket presented off it, headers and `auth`, and holds it for as long as the socket exists: every message is
 * decided by it. The second call returns what the first one took.
 */
export function holdHandshake(socket: object, request: UpgradeRequest, auth: unknown): HeldRequest {
  const present = handshakes.get(socket);
  if (present !== undefined) return present;
  const { authorizations, rest } = authorizationsIn(auth);
  const held = takeOff(request).with(authorizations, { auth: rest, url: request.url });
  handshakes.set(socket, held);
  return held;
}

/** Returns what this socket presented. Throws `configuration` where that is unknown. */
export function handshakeOf(socket: unknown, request?: UpgradeRequest): HeldRequest {
  const { handshake, request: own } = (socket ?? {}) as { handshake?: { auth?: unknown }; request?: unknown };
  if (isRequest(own)) return holdHandshake(socket as object, own, handshake?.auth);
  if (isRequest(request)) return holdHandshake(socket as object, request, undefined);
  const held = typeof socket === 'object' && socket !== null ? handshakes.get(socket) : undefined;
  if (held !== undefined) return held;
  throw new XPayAuthError(
    'configuration',
    'This socket does not say what it was opened with. In handleConnection(client, request), before any await: ' +
      'XPayHandshake.accept(this, client, request)',
  );
}

/** Whether this has headers as Node has them. Those of a `Request` of the Fetch API would read as no headers. */
export function isRequest(value: unknown): value is UpgradeRequest {
  const { headers } = (value ?? {}) as { headers?: unknown };
  return typeof headers === 'object' && headers !== null && !('get' in headers && typeof headers.get === 'function');
}

/** The fields of a handshake's `auth` that the library reads without an extractor, and removes. */
const OWN = ['username', 'secretKey', 'token'] as const;

interface ReadAuth {
  /** As `Authorization` lines, which the same reader checks: two are ambiguous, a malformed one is malformed. */
  readonly authorizations: readonly string[];
  /** Everything else. */
  readonly rest: Readonly<Record<string, unknown>>;
}

/**
 * Reads `{ username, secretKey }` and `{ token }` of a handshake's `auth`, and deletes them there. `null` counts as absent: a
 * browser's storage holds it before the first login. Any other value becomes a line that every reader rejects.
 */
function authorizationsIn(auth: unknown): ReadAuth {
  if (typeof auth !== 'object' || auth === null) return { authorizations: [], rest: {} };
  const sent = auth as Record<string, unknown>;
  const { username, secretKey, token, ...rest } = sent;
  for (const name of OWN) delete sent[name];
  const authorizations: string[] = [];
  if (!isAbsent(username) || !isAbsent(secretKey)) authorizations.push(basicOf(username, secretKey));
  if (!isAbsent(token)) authorizations.push(typeof token === 'string' ? `Bearer ${token}` : 'Bearer');
  return { authorizations, rest };
}

/** Returns a malformed `Basic` for a name that the scheme cannot carry: a colon would change the user name (RFC 7617 §2). */
function basicOf(username: unknown, secretKey: unknown): string {
  if (typeof username !== 'string' || typeof secretKey !== 'string' || username.includes(':')) return 'Basic';
  if (!username.isWellFormed() || !secretKey.isWellFormed()) return 'Basic';
  return `Basic ${Buffer.from(`${username}:${secretKey}`).toString('base64')}`;
}
