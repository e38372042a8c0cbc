import type { IncomingHttpHeaders } from 'node:http';

/** URLs before normalization. Middleware on Fastify overwrites `originalUrl`, so the URLs are kept here. */
const originalUrls = new WeakMap<object, string>();

/** The properties of Node's request that `asPlainGet` reads or changes. */
interface ForwardedRequest {
  url?: string | undefined;
  method?: string | undefined;
  readonly headers: IncomingHttpHeaders;
}

/**
 * Headers that concern only the original request. They describe its body, which the proxy did not send, or the page that the
 * client already has.
 */
const ONLY_OF_THE_ORIGINAL = [
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
export function asPlainGet(request: ForwardedRequest): string {
  const original = request.url ?? '/';
  const url = withoutSubPath(original);
  if (!/^\/verify(?:\?|$)/.test(url)) return url;
  originalUrls.set(request, original);
  request.method = 'GET';
  for (const name of ONLY_OF_THE_ORIGINAL) delete request.headers[name];
  return url;
}

/** Returns the path and query that the proxy sent to `/verify`. `raw` is Node's request, which Fastify wraps. */
export function originalUrlOf(request: { readonly raw?: object; readonly url: string }): string {
  return originalUrls.get(request.raw ?? request) ?? request.url;
}

/** `/verify/any/path?scope=x` means the same as `/verify?scope=x`. */
function withoutSubPath(url: string): string {
  return url.replace(/^\/verify\/[^?]*/, '/verify');
}
