import { once } from 'node:events';
import { type IncomingMessage, type ServerResponse, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A gateway in front of an upstream. It passes requests and responses on, and replaces the `Date` of the responses. */
export class DatingGateway implements AsyncDisposable {
  /** Origin of the upstream behind it. */
  target = '';
  /** The `Date` of the next response. */
  date: () => string = () => new Date().toUTCString();
  readonly #server = createServer((incoming, outgoing) => this.#pass(incoming, outgoing));

  static async start(): Promise<DatingGateway> {
    const gateway = new DatingGateway();
    gateway.#server.listen(0, '127.0.0.1');
    await once(gateway.#server, 'listening');
    return gateway;
  }

  /** Origin, such as `http://127.0.0.1:41234`. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  #pass(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const { method, headers } = incoming;
    const passed = request(this.target + (incoming.url ?? ''), { method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, { ...answer.headers, date: this.date() });
      answer.pipe(outgoing);
    });
    passed.on('error', () => outgoing.destroy());
    incoming.pipe(passed);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }
}
