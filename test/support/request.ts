import { once } from 'node:events';
import { type IncomingHttpHeaders, type IncomingMessage, request as send } from 'node:http';
import { text } from 'node:stream/consumers';

export interface Asked {
  readonly url: string;
  readonly method?: string;
  /** As pairs of name and value, headers keep their order and may repeat. */
  readonly headers?: Readonly<Record<string, string>> | readonly (readonly [name: string, value: string])[];
  readonly body?: string;
  /** The address of the client: any address in 127.0.0.0/8. */
  readonly from?: string;
}

export interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Returns every value of this header separately. Other clients join the values of repeated headers. */
  all(name: string): readonly string[];
  readonly body: string;
}

/** Sends a request over a new connection, in a way that `fetch` does not allow. Does not follow redirects. */
export async function request({
  url,
  method = 'GET',
  headers = [],
  body,
  from = '127.0.0.1',
}: Asked): Promise<Answered> {
  const asked = send(url, {
    method,
    agent: false,
    localAddress: from,
    headers: linesOf(url, headers, lengthOf(method, body)),
  });
  asked.end(body);
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  return {
    status: answer.statusCode ?? 0,
    headers: answer.headers,
    all: (name) => answer.headersDistinct[name] ?? [],
    body: await text(answer),
  };
}

/** Returns names and values in turn, because Node sends headers in this form unchanged. */
function linesOf(url: string, headers: NonNullable<Asked['headers']>, length: readonly string[]): readonly string[] {
  const pairs = Array.isArray(headers) ? (headers as readonly (readonly [string, string])[]) : Object.entries(headers);
  return ['Host', new URL(url).host, 'Connection', 'close', ...length, ...pairs.flat()];
}

/** Returns a `Content-Length` if the request may have a body, so that the body is not chunked. */
function lengthOf(method: string, body = ''): readonly string[] {
  return body === '' && ['GET', 'HEAD'].includes(method) ? [] : ['Content-Length', String(Buffer.byteLength(body))];
}
