import axios, { type AxiosInstance, type CreateAxiosDefaults } from 'axios';
import http, { type Agent, type ClientRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import { createDrain } from '../async/promises.js';
import {
  type OpenTransport,
  RESPONSE_TOO_LARGE,
  type Transport,
  TransportFailure,
  type TransportSettings,
} from './transport.js';

/** The options of Node's global agents. The global agents themselves are not used, because an app may have replaced them. */
const KEEP_ALIVE = { keepAlive: true, scheduling: 'lifo', timeout: 5_000 } as const;

/** Returns a transport that sends requests with an axios of {@link createAxios}. `close` closes its idle connections. */
export function axiosTransport(own: AxiosInstance): OpenTransport {
  const connections = new IdleConnections();
  const send: Transport = async ({ url, method, headers, body, signal }) => {
    await connections.drain();
    const exchange = new Exchange(connections);
    try {
      const response = await own.request<Uint8Array>({
        url,
        method,
        headers,
        ...(body !== undefined && { data: body }),
        signal,
        transport: exchange,
      });
      return { status: response.status, headers: response.headers, body: response.data };
    } catch (thrown) {
      const failure = exchange.failure(thrown);
      // The other idle connections are as old or older. They are closed too, because the server may have restarted.
      if (failure.wasStaleConnection) connections.close();
      throw failure;
    }
  };
  return Object.assign(send, { close: () => connections.close() });
}

/**
 * Creates a separate axios instance, so that the app's interceptors and defaults never receive credentials. The instance does not
 * follow redirects, because a 307 would send the secret to another host. It uses no proxy except the proxy of an agent in the
 * settings, resolves for every status, and does not transform bodies.
 */
export function createAxios(settings: TransportSettings): AxiosInstance {
  const own = axios.create();
  // `create` has copied the app's `axios.defaults`, such as an adapter, headers, a proxy and transformations. All of them are
  // deleted.
  for (const key of Reflect.ownKeys(own.defaults)) Reflect.deleteProperty(own.defaults, key);
  Object.assign(own.defaults, {
    adapter: 'http',
    headers: {},
    timeout: settings.timeoutMs,
    transitional: {},
    maxRedirects: 0,
    maxContentLength: settings.maxResponseBytes,
    responseType: 'arraybuffer',
    // Resolves for every status.
    validateStatus: null,
    proxy: false,
    httpAgent: settings.agent?.http ?? new http.Agent(KEEP_ALIVE),
    httpsAgent: settings.agent?.https ?? new https.Agent(KEEP_ALIVE),
  } satisfies CreateAxiosDefaults);
  return own;
}

/** One request. It is passed to axios as the option `transport`, and calls `http.request` or `https.request` of Node. */
class Exchange {
  #request: ClientRequest | undefined;
  #bytesBefore = 0;

  constructor(private readonly connections: IdleConnections) {}

  readonly request = (options: RequestOptions, onResponse: (response: IncomingMessage) => void): ClientRequest => {
    const request = (options.protocol === 'https:' ? https : http).request(options, onResponse);
    this.#request = request;
    request.once('socket', (socket) => {
      this.#bytesBefore = socket.bytesRead;
      if (typeof options.agent === 'object') this.connections.use(socket, options.agent);
    });
    return request;
  };

  /** Converts an axios error. Keeps only the code, because the error contains the whole request. */
  failure(thrown: unknown): TransportFailure {
    const { code, message = '' } = thrown instanceof Error ? (thrown as NodeJS.ErrnoException) : {};
    return new TransportFailure(
      message.startsWith('maxContentLength') ? RESPONSE_TOO_LARGE : code,
      this.#request?.reusedSocket ?? false,
      (this.#request?.socket?.bytesRead ?? 0) > this.#bytesBefore,
    );
  }
}

/**
 * Closes idle connections of Node's agents that receive bytes. Answers of HTTP/1.1 have no number, so the next request could read
 * these bytes as its own answer. Node 20 drops bytes that arrive on an idle connection and keeps the connection. If the bytes are
 * still in the kernel when the next request begins, all versions of Node read them as the answer to this request.
 */
class IdleConnections {
  readonly #watched = new WeakSet<Socket>();
  /** The connections that carry no request of this transport, each with its agent. */
  readonly #resting = new Map<Socket, Agent>();
  readonly #drain = createDrain();

  /** Call this method with the connection of each request when the request begins. */
  use(socket: Socket, agent: Agent): void {
    this.#resting.delete(socket);
    if (this.#watched.has(socket)) return;
    this.#watched.add(socket);
    // Node emits `free` at the end of each request.
    socket.on('free', () => this.#resting.set(socket, agent));
    socket.on('data', () => this.#closeIfIdle(socket));
    socket.once('close', () => this.#resting.delete(socket));
  }

  /** Resolves when all bytes that idle connections have received before the call have been read. */
  async drain(): Promise<void> {
    if (this.#resting.size > 0) await this.#drain();
  }

  /** Closes every idle connection of this transport. */
  close(): void {
    for (const socket of this.#resting.keys()) this.#closeIfIdle(socket);
  }

  /**
   * Closes the connection if it is idle. The app may use the same agent, so a connection without a request of this transport may
   * carry a request of the app.
   */
  #closeIfIdle(socket: Socket): void {
    const freeSockets = this.#resting.get(socket)?.freeSockets ?? {};
    if (Object.values(freeSockets).some((sockets) => sockets?.includes(socket) === true)) socket.destroy();
  }
}
