import { once } from 'node:events';
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** A request as the site received it. */
export interface Reached {
  readonly method: string;
  readonly url: string;
  /** Header lines in their order, with names in lower case. Repeated headers are separate lines. */
  readonly lines: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

export interface EchoSite extends AsyncDisposable {
  readonly url: string;
  /** Every request, oldest first. */
  readonly reached: readonly Reached[];
}

/** Starts a site that responds with the request it received, as JSON. */
export async function startEchoSite(): Promise<EchoSite> {
  const reached: Reached[] = [];
  const server = createServer((request, response) => void echo(request, response));
  const echo = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = '', url = '', rawHeaders } = request;
    const names = rawHeaders.filter((_, i) => i % 2 === 0);
    const lines = names.map((name, i) => [name.toLowerCase(), rawHeaders[2 * i + 1] ?? ''] as const);
    const all = { method, url, lines, body: await text(request) };
    reached.push(all);
    response.setHeader('content-type', 'application/json').end(JSON.stringify(all));
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const stop = async (): Promise<void> => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  };
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, reached, [Symbol.asyncDispose]: stop };
}

/** Returns the values of all header lines of this name that the site received. */
export function reachedWith({ lines }: Reached, name: string): readonly string[] {
  return lines.filter(([each]) => each === name).map(([, value]) => value);
}
