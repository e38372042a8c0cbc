import { configurationError } from '../../core/errors.js';
import { isAbsent } from '../../core/decoders.js';
import type { IncomingRequest } from '../../core/incoming-request.js';
import { type HeldRequest, takeOff } from './held-request.js';

/** The request that opened a socket, with the property names of Node's `http.IncomingMessage`. */
export interface UpgradeRequest extends IncomingRequest {
  /** The requested path, query included. */
  readonly url?: string | undefined;
}

/** The handshake of each open socket. */
const handshakes = new WeakMap<object, HeldRequest>();

/**
 * Removes the credentials from the headers and the `auth` of a socket, and returns a copy of the handshake that has them. Every
 * message of the socket is checked by this copy, which is kept as long as the socket exists. Later calls for the socket return
 * the same copy.
 */
export function holdHandshake(socket: object, request: UpgradeRequest, auth: unknown): HeldRequest {
  const present = handshakes.get(socket);
  if (present !== undefined) return present;
  const { authorizations, rest } = authorizationsIn(auth);
  const held = takeOff(request).with(authorizations, { auth: rest, url: request.url });
  handshakes.set(socket, held);
  return held;
}

/** Returns the handshake of this socket, credentials included. Throws `configuration` if the handshake is unknown. */
export function handshakeOf(socket: unknown, request?: UpgradeRequest): HeldRequest {
  const { handshake, request: own } = (socket ?? {}) as { handshake?: { auth?: unknown }; request?: unknown };
  if (isRequest(own)) return holdHandshake(socket as object, own, handshake?.auth);
  if (isRequest(request)) return holdHandshake(socket as object, request, undefined);
  const held = typeof socket === 'object' && socket !== null ? handshakes.get(socket) : undefined;
  if (held !== undefined) return held;
  throw configurationError(
    'This socket does not say what it was opened with. In handleConnection(client, request), before any await: ' +
      'XPayHandshake.accept(this, client, request)',
  );
}

/** Whether `value` has Node's headers. A `Request` of the Fetch API does not: its `Headers` would look like an empty object. */
export function isRequest(value: unknown): value is UpgradeRequest {
  const { headers } = (value ?? {}) as { headers?: unknown };
  return typeof headers === 'object' && headers !== null && !('get' in headers && typeof headers.get === 'function');
}

/** The fields of a handshake's `auth` that the library reads without an extractor, and removes. */
const OWN = ['username', 'secretKey', 'token'] as const;

/**
 * Reads `{ username, secretKey }` and `{ token }` from a handshake's `auth`, and deletes these fields from it. `null` counts as
 * absent, because a browser's storage returns `null` before the first login. Any other value that is not a string becomes a
 * malformed line, which is rejected. Returns the credentials as `Authorization` lines, so that the reader of HTTP headers also
 * rejects two of them or a malformed one, and the other fields of `auth` as `rest`.
 */
function authorizationsIn(auth: unknown) {
  if (typeof auth !== 'object' || auth === null) return { authorizations: [], rest: {} };
  const sent = auth as Record<string, unknown>;
  const { username, secretKey, token, ...rest } = sent;
  for (const name of OWN) delete sent[name];
  const authorizations: string[] = [];
  if (!isAbsent(username) || !isAbsent(secretKey)) authorizations.push(basicOf(username, secretKey));
  if (!isAbsent(token)) authorizations.push(typeof token === 'string' ? `Bearer ${token}` : 'Bearer');
  return { authorizations, rest };
}

/**
 * Returns a Basic `Authorization` line. The line is malformed if a value is not a well-formed string, or if the username has a
 * colon: the part after the colon would be read as the secret (RFC 7617 §2).
 */
function basicOf(username: unknown, secretKey: unknown): string {
  if (typeof username !== 'string' || typeof secretKey !== 'string' || username.includes(':')) return 'Basic';
  if (!username.isWellFormed() || !secretKey.isWellFormed()) return 'Basic';
  return `Basic ${Buffer.from(`${username}:${secretKey}`).toString('base64')}`;
}
