import type { IncomingHttpHeaders } from 'node:http';
import { originalUrlOf } from './forwarded-request.js';

/** The parts of a request to `/verify` that may have the URI of the original request. */
export interface VerifyRequest {
  readonly url: string;
  /** Node's request, on Fastify. */
  readonly raw?: object;
  readonly headers: IncomingHttpHeaders;
}

/** Headers with the original URI: of Traefik and Caddy, of nginx by convention, and of ingress-nginx (with the whole URL). */
const URI_HEADERS = ['x-forwarded-uri', 'x-original-uri', 'x-original-url'] as const;

/**
 * Parts of a path that two programs may read differently: encoded control characters, dots, slashes, backslashes and semicolons;
 * anything encoded twice; literal backslashes, semicolons and fragments; characters that no URI has; empty segments and dot
 * segments. RFC 3986 §2.3 (no client encodes a dot), §5.2.4 and §6.2.2.3 (clients remove dot segments).
 */
const AMBIGUOUS =
  /%(?:[01][\da-f]|7f|25(?:[\da-f]|%[346]){2}|2e|2f|3b|5c)|[\\;#]|[^\x21-\x7e]|\/\/|(?:^|\/)\.\.?(?:\/|$)/i;

/**
 * Whether the proxy and the program behind it may read the path of the original request differently. The proxy would then
 * require the scopes of one path while the program serves another. Returns `false` if the proxy sends no path.
 */
export function hasAmbiguousPath(request: VerifyRequest): boolean {
  const below = originalUrlOf(request).replace(/^\/verify/, '');
  // Node joins repeated header lines with a comma and a space. No URI contains a space.
  const uris = URI_HEADERS.flatMap((name) => request.headers[name] ?? []).flatMap((value) => value.split(', '));
  return [below, ...uris].map(pathOf).some((path) => AMBIGUOUS.test(path) || !isUtf8(path));
}

/** Returns the path of a URI or URL. Keeps a fragment, which no client sends, so that the path is ambiguous. */
function pathOf(uri: string): string {
  const [path = ''] = uri.replace(/^[a-z][\w+.-]*:\/\/[^/?#]*/i, '').split('?', 1);
  return path;
}

/** Whether the whole path is percent-encoded UTF-8. Overlong forms of a slash or a dot are not valid UTF-8 (RFC 3629 §10). */
function isUtf8(path: string): boolean {
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}
