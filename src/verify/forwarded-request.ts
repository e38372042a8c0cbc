import type { IncomingHttpHeaders } from 'node:http';

/** The part of Node's request that says what is asked. */
interface Question {
  url?: string | undefined;
  method?: string | undefined;
  readonly headers: IncomingHttpHeaders;
}

/** Of the request asked about, not of the question: a body that stays behind, and a page that the client has already. */
const NOT_OF_THE_QUESTION = [
  'content-type',
  'content-length',
  'content-encoding',
  'transfer-encoding',
  'if-none-match',
  'if-modified-since',
];

/**
 * Turns whatever a proxy sends to `/verify` into the one question it is, before it is routed, and returns its URL. Proxies ask
 * with the method, the path below and the headers of the request they ask about, mostly without its body. The two
 * platforms disagree about methods beyond the usual ones, have no wildcard in common, and would wait for a body, refuse
 * one, or say 304.
 */
export function asPlainQuestion(request: Question): string {
  const url = withoutSubPath(request.url ?? '/');
  if (!/^\/verify(?:\?|$)/.test(url)) return url;
  request.method = 'GET';
  for (const name of NOT_OF_THE_QUESTION) delete request.headers[name];
  return url;
}

/** `/verify/any/path?scope=x` asks the same as `/verify?scope=x`. */
function withoutSubPath(url: string): string {
  return url.replace(/^\/verify\/[^?]*/, '/verify');
}
