import type { AxiosInstance } from 'axios';
import http, { type ClientRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import https from 'node:https';
import { IdleConnections } from './idle-connections.js';
import { RESPONSE_TOO_LARGE, type Transport, TransportFailure } from './transport.js';

/** The transport of an axios that {@link createAxios} made. */
export function axiosTransport(axios: AxiosInstance): Transport {
  const connections = new IdleConnections();
  return async ({ url, method, headers, body, signal }) => {
    await connections.drain();
    const exchange = new Exchange(connections);
    try {
      const response = await axios.request<Uint8Array>({
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
      if (typeof options.agent === 'object') this.connections.watch(socket, options.agent);
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
