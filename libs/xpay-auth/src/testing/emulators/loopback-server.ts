import { once } from 'node:events';
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import { type WireRequest, readWireRequest } from './wire-message.js';

/** Answers one request. */
type Serve = (request: WireRequest, response: ServerResponse) => unknown;

/** An HTTP server on 127.0.0.1 that can be closed and opened again on the same port. */
export class LoopbackServer {
  readonly #server: Server;
  #port: number;

  /** @param port 0: the system chooses a free port, which stays the same after `close` and `open` */
  constructor(
    port: number,
    private readonly serve: Serve,
  ) {
    this.#port = port;
    // Without an idle limit a client never loses a race against a closing connection. `close` ends all connections.
    this.#server = createServer({ keepAliveTimeout: 0 }, (request, response) => void this.#answer(request, response));
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async open(): Promise<void> {
    if (this.#server.listening) return;
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    const address = this.#server.address();
    if (typeof address === 'object' && address !== null) this.#port = address.port;
  }

  /** Stops listening and ends every connection, with or without an answer. */
  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const request = await readWireRequest(incoming);
      if (request === undefined) response.writeHead(413, { connection: 'close' }).end();
      else await this.serve(request, response);
    } catch {
      response.destroy();
    }
  }
}
