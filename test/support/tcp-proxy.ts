import { once } from 'node:events';
import { type AddressInfo, type Socket, connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Stands between a client and a server, and can be bad at it. */
export class TcpProxy implements AsyncDisposable {
  /** Ms by which every answer is late. */
  delayMs = 0;
  #swallows = false;
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer((client) => this.#serve(client));
  /** Connections that were asked for since the start. */
  connections = 0;
  /** All that clients have sent. */
  heard = '';
  #open = true;

  private constructor(private readonly target: number) {}

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

  /** Ends every connection and takes no new one, until {@link heal}. */
  cut(): void {
    this.#open = false;
    this.#sockets.forEach((socket) => socket.destroy());
  }

  /** Takes what comes and passes nothing on, in neither direction, until {@link heal}. */
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
    // Late or not, answers come in their order.
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
