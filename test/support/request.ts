import { once } from 'node:events';
import { type IncomingHttpHeaders, type IncomingMessage, request as send } from 'node:http';
import { text } from 'node:stream/consumers';

export interface Asked {
  readonly url: string;
  readonly method?: string;
  /** Pairs of name and value keep their order and may repeat. */
  readonly headers?: Readonly<Record<string, string>> | readonly (readonly [name: string, value: string])[];
  readonly body?: string;
  /** The client's own address, any of 127.0.0.0/8. */
  readonly from?: string;
}

export interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Every value of this header separately. Other clients join repeated ones. */
  all(name: string): readonly string[];
  readonly body: string;
}

/** Sends a request over a new connection, for cases where `fetch` hides or forbids too much. Follows no redirect. */
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

/** Names and values in turn: the form in which Node sends every line unchanged. */
function linesOf(url: string, headers: NonNullable<Asked['headers']>, length: readonly string[]): readonly string[] {
  const pairs = Array.isArray(headers) ? (headers as readonly (readonly [string, string])[]) : Object.entries(headers);
  return ['Host', new URL(url).host, 'Connection', 'close', ...length, ...pairs.flat()];
}

/** Sends a length whenever there may be a body, so that nothing is chunked. */
function lengthOf(method: string, body = ''): readonly string[] {
  return body === '' && ['GET', 'HEAD'].includes(method) ? [] : ['Content-Length', String(Buffer.byteLength(body))];
}
