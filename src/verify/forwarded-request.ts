import type { IncomingHttpHeaders } from 'node:http';

/** The properties of Node's request that `asPlainQuestion` reads or changes. */
interface Question {
  url?: string | undefined;
  method?: string | undefined;
  readonly headers: IncomingHttpHeaders;
}

/**
 * Headers that concern only the original request. They describe its body, which the proxy did not send, or the page that the
 * client already has.
 */
const NOT_OF_THE_QUESTION = [
  'content-type',
  'content-length',
  'content-encoding',
  'transfer-encoding',
  'if-none-match',
  'if-modified-since',
];

/**
 * Normalizes a request to `/verify` before it is routed, and returns its URL. Proxies send the method, the subpath and the
 * headers of the original request, mostly without its body. The two platforms route unusual methods and wildcards differently.
 * Because of the headers they would also wait for the missing body, reject the request, or respond with 304.
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
