import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';

/** An HTTP server on 127.0.0.1 that can go away and come back on the same port. */
export class LoopbackServer {
  readonly #server: Server;
  #port: number;
  #listening = false;

  /** @param port 0 lets the system choose one, which then stays the same over pause and resume */
  constructor(port: number, serve: (request: IncomingMessage, response: ServerResponse) => void) {
    this.#port = port;
    // Without an idle limit no client loses a race against a closing connection; `close` ends them all.
    this.#server = createServer({ keepAliveTimeout: 0 }, serve);
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async open(): Promise<void> {
    if (this.#listening) return;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#port, '127.0.0.1', () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
    const address = this.#server.address();
    if (typeof address === 'object' && address !== null) this.#port = address.port;
    this.#listening = true;
  }

  /** Stops listening and cuts every connection, answered or not. */
  async close(): Promise<void> {
    if (!this.#listening) return;
    this.#listening = false;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }
}
