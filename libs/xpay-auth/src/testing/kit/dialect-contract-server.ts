import { type IncomingHttpHeaders, type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One answer, whatever the question. An object goes out as JSON, a string as it is. */
export interface CannedAnswer {
  /** The HTTP status. @default 200 */
  readonly status?: number;
  /** Headers beside those of the body. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The body. @default empty */
  readonly body?: string | object | null;
}

/** What the server was asked. */
export interface CannedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A server on 127.0.0.1 that answers what it is told to, and remembers what it was asked. */
export class CannedServer {
  answer: (request: CannedRequest) => CannedAnswer = () => ({ status: 500 });
  readonly requests: CannedRequest[] = [];
  readonly #server: Server;

  constructor() {
    this.#server = createServer((incoming, response) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('end', () => {
        const request: CannedRequest = {
          method: incoming.method ?? '',
          path: incoming.url ?? '',
          headers: incoming.headers,
          body: Buffer.concat(chunks).toString('utf8'),
        };
        this.requests.push(request);
        const { status = 200, headers = {}, body } = this.answer(request);
        const json = typeof body === 'object';
        response.writeHead(status, { ...(json && { 'content-type': 'application/json' }), ...headers });
        response.end(json ? JSON.stringify(body) : (body ?? ''));
      });
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  start(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(0, '127.0.0.1', resolve);
    });
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }
}
