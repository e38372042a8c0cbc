import { once } from 'node:events';
import { type AddressInfo, type Socket, connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A proxy between a client and a server with injected faults. */
export class TcpProxy implements AsyncDisposable {
  /** Delay of every response in ms. */
  delayMs = 0;
  #swallows = false;
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer((client) => this.#serve(client));
  /** Number of connections since the start. */
  connections = 0;
  /** All that clients have sent. */
  heard = '';
  #open = true;

  /** @param target port of the server that new connections lead to */
  private constructor(public target: number) {}

  static async before(target: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(target);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Closes every connection and accepts no new one, until {@link heal}. */
  cut(): void {
    this.#open = false;
    this.#sockets.forEach((socket) => socket.destroy());
  }

  /** Reads and drops everything in both directions, until {@link heal}. */
  blackHole(): void {
    this.#swallows = true;
  }

  heal(): void {
    this.#open = true;
    if (this.#swallows) this.#sockets.forEach((socket) => socket.destroy());
    this.#swallows = false;
    this.delayMs = 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#sockets.forEach((socket) => socket.destroy());
    this.#server.close();
    await once(this.#server, 'close');
  }

  #serve(client: Socket): void {
    this.connections++;
    this.#keep(client);
    if (!this.#open) {
      client.destroy();
      return;
    }
    const server = this.#keep(connect(this.target, '127.0.0.1'));
    client.on('data', (chunk) => {
      this.heard += chunk.toString('latin1');
      if (!this.#swallows) server.write(chunk);
    });
    // Responses keep their order, even if only some of them are delayed.
    let passed = Promise.resolve();
    server.on('data', (chunk) => {
      passed = this.#passOn(passed, chunk, client);
    });
    client.once('close', () => server.destroy());
    server.once('close', () => client.destroy());
  }

  async #passOn(before: Promise<void>, chunk: Buffer, client: Socket): Promise<void> {
    const due = performance.now() + this.delayMs;
    await before;
    const leftMs = due - performance.now();
    if (leftMs > 0) await sleep(leftMs, undefined, { ref: false });
    if (!this.#swallows && !client.destroyed) client.write(chunk);
  }

  #keep(socket: Socket): Socket {
    this.#sockets.add(socket);
    return socket.on('error', () => undefined).once('close', () => this.#sockets.delete(socket));
  }
}
