import { once } from 'node:events';
import { type AddressInfo, type Socket, connect, createServer } from 'node:net';

/** The action of the proxy on one request: pass it on, or reset the connection before or after the upstream received it. */
export type OnRequest = (request: string, requestsBefore: number) => 'pass' | 'reset' | 'process and reset' | 'partial';

/** A proxy on 127.0.0.1 in front of one upstream. It reads each request as text and may break the connection. */
export class KeepAliveProxy implements AsyncDisposable {
  /** The first line of each request. */
  readonly requests: string[] = [];
  connections = 0;
  onRequest: OnRequest = () => 'pass';
  readonly #clients = new Set<Socket>();
  readonly #server = createServer((client) => this.#serve(client));

  private constructor(private readonly port: number) {}

  /** @param url of the upstream */
  static async before(url: string): Promise<KeepAliveProxy> {
    const proxy = new KeepAliveProxy(Number(new URL(url).port));
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Number of requests to a path. */
  count(path: string): number {
    return this.requests.filter((line) => line.includes(` ${path} `)).length;
  }

  /** Sends text to the client on every open connection. The client's kernel has received the text when this method returns. */
  write(text: string): void {
    for (const client of this.#clients) client.write(text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #serve(client: Socket): void {
    this.connections++;
    let requests = 0;
    const upstream = connect(this.port, '127.0.0.1').setNoDelay(true);
    this.#clients.add(client.setNoDelay(true));
    const end = (): void => {
      this.#clients.delete(client);
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) socket.on('error', () => undefined).once('close', end);
    upstream.on('data', (chunk) => client.write(chunk));
    client.on('data', (chunk) => {
      const text = chunk.toString('latin1');
      if (!/^[A-Z]+ \/\S* HTTP\/1\.1\r\n/.test(text)) return void upstream.write(chunk);
      this.requests.push(text.slice(0, text.indexOf('\r\n')));
      const action = this.onRequest(text, requests++);
      if (action === 'pass') return void upstream.write(chunk);
      if (action === 'reset') return void client.resetAndDestroy();
      if (action === 'partial') {
        return void client.write('HTTP/1.1 200', () => setImmediate(() => client.resetAndDestroy()));
      }
      upstream.removeAllListeners('data').once('data', () => client.resetAndDestroy());
      upstream.write(chunk);
      return undefined;
    });
  }
}
