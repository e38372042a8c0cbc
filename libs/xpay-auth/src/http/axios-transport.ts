import axios, { type AxiosInstance, type CreateAxiosDefaults } from 'axios';
import http, { type Agent, type ClientRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import { createDrain } from '../async/promises.js';
import { RESPONSE_TOO_LARGE, type Transport, TransportFailure, type TransportSettings } from './transport.js';

/** The options of Node's own global agents, which an app may have replaced. */
const KEEP_ALIVE = { keepAlive: true, scheduling: 'lifo', timeout: 5_000 } as const;

/** The transport of an axios that {@link createAxios} made. */
export function axiosTransport(own: AxiosInstance): Transport {
  const connections = new IdleConnections();
  return async ({ url, method, headers, body, signal }) => {
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
      // The others are as old, or older: the server may have restarted.
      if (failure.wasStaleConnection) connections.close();
      throw failure;
    }
  };
}

/**
 * Creates an axios of our own, so that an app's interceptors and defaults never see credentials. It follows no redirect (a 307
 * would send the secret elsewhere), uses no proxy except that of an agent in the settings, resolves for every status, and
 * transforms no body.
 */
export function createAxios(settings: TransportSettings): AxiosInstance {
  const own = axios.create();
  // `create` has merged in the app's own `axios.defaults`: an adapter, headers, a proxy, transformations. All of it goes.
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

/** One request in Node's terms, in the form of axios' option `transport`. */
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

  /** Keeps only the code of an axios error, which holds the whole request. */
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
 * Closes idle connections of Node's agents that receive anything: HTTP/1.1 has no number for an answer, so the next request
 * would take these bytes for its own. Node 20 drops them and keeps the connection. All versions read them as the next answer
 * if they are still in the kernel when the next request begins.
 */
class IdleConnections {
  readonly #watched = new WeakSet<Socket>();
  /** The connections that carry no request of this transport, each with its agent. */
  readonly #resting = new Map<Socket, Agent>();
  readonly #drain = createDrain();

  /** Call it for the connection of each request, when the request begins. */
  use(socket: Socket, agent: Agent): void {
    this.#resting.delete(socket);
    if (this.#watched.has(socket)) return;
    this.#watched.add(socket);
    // Node emits this at the end of each request.
    socket.on('free', () => this.#resting.set(socket, agent));
    socket.on('data', () => this.#closeIfIdle(socket));
    socket.once('close', () => this.#resting.delete(socket));
  }

  /** Resolves after everything has been read that idle connections had received until now. */
  async drain(): Promise<void> {
    if (this.#resting.size > 0) await this.#drain();
  }

  /** Closes every idle connection of this transport. */
  close(): void {
    for (const socket of this.#resting.keys()) this.#closeIfIdle(socket);
  }

  /** The app may use the agent too, so a connection without a request of ours may carry one of the app. */
  #closeIfIdle(socket: Socket): void {
    const freeSockets = this.#resting.get(socket)?.freeSockets ?? {};
    if (Object.values(freeSockets).some((sockets) => sockets?.includes(socket) === true)) socket.destroy();
  }
}
