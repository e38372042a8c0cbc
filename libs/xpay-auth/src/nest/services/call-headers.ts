import { validateHeaderName, validateHeaderValue } from 'node:http';
import { configurationError } from '../../core/errors.js';

/**
 * Headers about the connection (RFC 9110 §7.6.1), the target host, and the length of the body. The transport writes them. A
 * `Content-Length` of the app, for example, could end the request in the middle of the body, and the server would then read the
 * rest of the body as another request.
 */
const OF_THE_CONNECTION = new Set(
  'connection content-length expect host keep-alive proxy-connection te trailer transfer-encoding upgrade'.split(' '),
);

/**
 * Returns a copy of the headers that an app passes with a call, with names in lower case. Omits headers that are `undefined`.
 *
 * Throws `configuration` for an object whose headers are not its own members, such as `Headers` or a `Map`, for a header about
 * the connection, and for a name or a value that cannot be sent (RFC 9110 §5.1, §5.5). The message contains no value.
 */
export function callHeaders(headers: Readonly<Record<string, unknown>>): Record<string, string> {
  if (typeof headers !== 'object' || headers === null || Symbol.iterator in headers) {
    throw configurationError('headers of a call: expected a plain object of names and strings');
  }
  const own = Object.entries(headers).flatMap(([name, value]): [string, string][] => {
    if (value === undefined) return [];
    const lower = name.toLowerCase();
    if (OF_THE_CONNECTION.has(lower)) {
      throw configurationError(`headers of a call: "${lower}" belongs to the connection. Remove it`);
    }
    return [[lower, sendable(lower, value)]];
  });
  return Object.fromEntries(own);
}

/** Returns the value. Throws `configuration` for a name or a value that cannot be sent. */
export function sendable(name: string, value: unknown): string {
  try {
    validateHeaderName(name);
  } catch {
    throw configurationError('headers of a call: a name is not a token (RFC 9110 §5.1)');
  }
  try {
    if (typeof value !== 'string') throw new TypeError();
    validateHeaderValue(name, value);
    return value;
  } catch {
    throw configurationError(
      `headers of a call: the value of "${name}" is not a string of Latin-1 characters on one line`,
    );
  }
}
