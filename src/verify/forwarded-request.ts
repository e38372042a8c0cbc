import type { IncomingHttpHeaders } from 'node:http';

/** The parts of Node's request that describe it. */
interface Question {
  url?: string | undefined;
  method?: string | undefined;
  readonly headers: IncomingHttpHeaders;
}

/** These headers belong to the original request: a body that was not sent, and a page that the client already has. */
const NOT_OF_THE_QUESTION = [
  'content-type',
  'content-length',
  'content-encoding',
  'transfer-encoding',
  'if-none-match',
  'if-modified-since',
];

/**
 * Normalizes any request that a proxy sends to `/verify` before it is routed, and returns its URL. Proxies send the
 * method, the subpath and the headers of the original request, mostly without its body. The two platforms differ in
 * unusual methods and wildcards. They would also wait for the body, reject it, or respond with 304.
 */
export function asPlainQuestion(request: Question): string {
  const url = withoutSubPath(request.url ?? '/');
  if (!/^\/verify(?:\?|$)/.test(url)) return url;
  request.method = 'GET';
  for (const name of NOT_OF_THE_QUESTION) delete request.headers[name];
  return url;
}

/** `/verify/any/path?scope=x` means the same as `/verify?scope=x`. */
function withoutSubPath(url: string): string {
  return url.replace(/^\/verify\/[^?]*/, '/verify');
}
