import type { IncomingHttpHeaders } from 'node:http';

/**
 * `/verify/any/path?scope=x` asks the same as `/verify?scope=x`. The URL is rewritten before it is routed, because the two
 * platforms have no wildcard in common.
 */
export function withoutSubPath(url: string): string {
  return url.replace(/^\/verify\/[^?]*/, '/verify');
}

/**
 * A proxy asks with the headers of the request it asks about, mostly without its body. Nothing here needs the body: without
 * these headers no platform waits for one, parses one, or refuses one before a guard has seen the request.
 */
export function ignoreBody(url: string, headers: IncomingHttpHeaders): void {
  if (!/^\/verify(?:\?|$)/.test(url)) return;
  for (const name of ['content-type', 'content-length', 'transfer-encoding']) delete headers[name];
}
