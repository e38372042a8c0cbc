import type { ServerResponse } from 'node:http';
import { LoopbackServer } from '../emulators/loopback-server.js';
import type { WireRequest } from '../emulators/wire-message.js';

/** One answer to any request. An object is sent as JSON, a string as it is. */
export interface CannedAnswer {
  /** The HTTP status. @default 200 */
  readonly status?: number;
  /** Headers. An object as body adds `content-type: application/json`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The body. @default empty */
  readonly body?: string | object | null;
}

/** A server on 127.0.0.1 with scripted answers, which keeps the requests. */
export class CannedServer {
  answer: (request: WireRequest) => CannedAnswer = () => ({ status: 500 });
  readonly requests: WireRequest[] = [];
  readonly #server = new LoopbackServer(0, (request, response) => this.#serve(request, response));

  get url(): string {
    return this.#server.url;
  }

  start(): Promise<void> {
    return this.#server.open();
  }

  stop(): Promise<void> {
    return this.#server.close();
  }

  #serve(request: WireRequest, response: ServerResponse): void {
    this.requests.push(request);
    const { status = 200, headers = {}, body } = this.answer(request);
    const isJson = typeof body === 'object';
    response.writeHead(status, { ...(isJson && { 'content-type': 'application/json' }), ...headers });
    response.end(isJson ? JSON.stringify(body) : (body ?? ''));
  }
}
